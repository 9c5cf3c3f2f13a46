"""Golden: the reference's requests through the whole path, in process and through the live service, against training.

What expectations finds in a stage by itself shows up in every later stage of the chain; here it is marked as
propagated.
What only shows in the chain is born at a hand-over: in an index, an order or a type that storage does not keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from seatrial.checks.base import Check, every_stage
from seatrial.checks.findings import differences, share
from seatrial.checks.golden import service as _service
from seatrial.checks.golden.handover import order_of_answers, what_differs
from seatrial.checks.gx.judge import judge
from seatrial.checks.serving.service import can_serve
from seatrial.errors import StageError
from seatrial.events import Evaluated, Event, Finding, NotEvaluated, Severity
from seatrial.parity.result import Parity
from seatrial.pipeline import SERVICE
from seatrial.trial import Trial

NAME = "golden"


def run(trial: Trial, stage: str | None) -> Iterator[Event]:
    """Compare what the path up to ``stage`` makes of the requests with what training saw there."""
    assert stage is not None
    if stage == SERVICE:
        yield from _service.run_service(trial, NAME)
        return
    try:
        parity = trial.parity(stage, "chained")
    except StageError as error:
        yield from _broke(trial, stage, error)
        return
    if stage == trial.pipeline.stages[-1]:
        events = list(judge(trial, stage, "chained", name=NAME))
        yield from order_of_answers(NAME, trial, stage)
    else:
        events = [*differences(NAME, stage, parity)]
        events.append(Evaluated(NAME, stage, compared=parity.rows_compared * len(parity.columns)))
    origin = _origin(trial, stage)
    if origin is None and not parity.ok:
        yield _born(trial, stage, parity)
        origin = stage
    for event in events:
        if isinstance(event, Finding) and origin is not None and event.severity is Severity.ERROR:
            yield replace(event, downstream=True, advice=_advice(origin, stage))
        else:
            yield event


def _origin(trial: Trial, stage: str) -> str | None:
    """Return the earliest stage up to ``stage`` that differs by itself, or that already differs in the chain."""
    stages = trial.pipeline.stages
    until = stages[: stages.index(stage) + 1]
    alone = (s for s in until if not _holds_alone(trial, s))
    chained = (s for s in until[:-1] if not trial.parity(s, "chained").ok)
    return min((s for s in (next(alone, None), next(chained, None)) if s), key=stages.index, default=None)


def _holds_alone(trial: Trial, stage: str) -> bool:
    try:
        return trial.parity(stage).ok
    except StageError:
        return False


def _born(trial: Trial, stage: str, parity: Parity) -> Finding:
    """Return the finding of a stage that is right by itself and wrong in the chain."""
    worst = max((c for c in parity.columns if not c.ok), key=lambda c: c.mismatches + c.null_flips, default=None)
    broken = (
        f"'{worst.column}' differs in {share(worst.mismatches + worst.null_flips, worst.rows)}"
        if worst
        else "keys or columns differ"
    )
    evidence = (
        {"rows": worst.rows, "mismatches": worst.mismatches, "null_flips": worst.null_flips,
         "keys": list(worst.worst_keys)}
        if worst
        else {"rows": parity.rows_expected}
    )  # fmt: skip
    before = trial.pipeline.before(stage)
    if before is None:
        return Finding(
            NAME, stage, f"'{stage}' answers the same requests differently when it runs again: {broken}.",
            column=worst.column if worst else None, cause="not-repeatable", evidence=evidence,
            advice="Look for an unseeded random choice, a clock, or state kept between two calls.",
        )  # fmt: skip
    # Column order is kept by storage, so the stage that changed it is known; what storage loses is seen here first.
    place = stage if trial.parity(before, "chained").column_order_ok else before
    return Finding(
        NAME, place,
        f"'{stage}' is right on the frame of training and wrong on the one '{before}' hands over: {broken}. "
        f"{_handed(trial, before)}",
        column=worst.column if worst else None, cause="hand-over", evidence=evidence,
        advice=f"Make '{stage}' independent of what differs, or make '{before}' hand over what it did at training.",
    )  # fmt: skip


def _handed(trial: Trial, before: str) -> str:
    found = what_differs(trial.reference.frame(before), trial.chained(before), trial.parity(before, "chained"))
    return f"Handed over differently: {'; '.join(found)}." if found else "Both frames look the same."


def _broke(trial: Trial, stage: str, error: StageError) -> Iterator[Event]:
    if error.stage != stage:
        yield Finding(
            NAME, stage, f"'{stage}' was not reached: '{error.stage}' broke before it.",
            cause="not-reached", downstream=True, advice=f"Repair '{error.stage}' first.",
        )  # fmt: skip
        yield NotEvaluated(NAME, stage, f"not reached: stage '{error.stage}' broke before it")
        return
    before = trial.pipeline.before(stage)
    born = before is not None and _origin(trial, stage) is None
    said = f" By itself it works. {_handed(trial, before)}" if born and before else ""
    yield Finding(
        NAME, stage, f"{error}{said}", cause="hand-over" if born else "stage-broke", downstream=not born,
        advice=f"Run '{stage}' on what '{before}' returns, not on a stored copy of it."
        if born
        else "It breaks by itself too, or on what an earlier stage got wrong: start there.",
    )  # fmt: skip
    yield Evaluated(NAME, stage, compared=1)


def _advice(origin: str, stage: str) -> str:
    if origin == stage:
        return "Told above: the same difference, column by column."
    return f"It began at '{origin}': start there."


def stages(trial: Trial) -> Sequence[str]:
    """Ask of every stage, and of the live service where the pipeline has one that can be started here."""
    return (*every_stage(trial), SERVICE) if can_serve(trial) else every_stage(trial)


check = Check(NAME, run=run, stages=stages, order=20)
