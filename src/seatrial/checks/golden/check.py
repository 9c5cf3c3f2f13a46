"""Golden: replay the reference requests end to end, in process and through the live service.

A difference that a stage shows in its own stage replay appears in every later stage of the end-to-end replay; here it
is marked as downstream. A difference that only the end-to-end replay shows originates at a stage hand-off: in an index,
an order or a type that storage does not preserve.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from seatrial.checks.base import Check, every_stage
from seatrial.checks.findings import differences
from seatrial.checks.golden import service as _service
from seatrial.checks.golden.hand_off import answer_order
from seatrial.checks.golden.judge import hand_off_finding, stage_failed
from seatrial.checks.golden.origin import origin_of
from seatrial.checks.grouping import grouped
from seatrial.checks.gx.judge import END_TO_END, judge
from seatrial.checks.judged import not_compared
from seatrial.checks.serving.service import can_serve
from seatrial.checks.side_by_side import keep_rows
from seatrial.errors import StageError
from seatrial.events import Evaluated, Event, Finding, Severity
from seatrial.pipeline import SERVICE
from seatrial.trial import Trial

NAME = "golden"


def run(trial: Trial, stage: str | None) -> Iterator[Event]:
    """Compare the end-to-end replay up to ``stage`` with the reference; for ``service``, the live answers."""
    assert stage is not None
    if stage == SERVICE:
        yield from _service.run_service(trial, NAME)
        return
    try:
        parity = trial.parity(stage, "chained")
    except StageError as error:
        yield from stage_failed(NAME, trial, stage, error)
        return
    yield from not_compared(trial, stage, NAME, "chained")
    if stage == trial.pipeline.stages[-1]:
        events = list(judge(trial, stage, "chained", name=NAME))
        yield from answer_order(NAME, trial, stage)
    else:
        events = [*grouped(differences(NAME, stage, parity))]
        keep_rows(trial, NAME, stage, parity, trial.reference.frame(stage), trial.chained(stage), END_TO_END)
        events.append(Evaluated(NAME, stage, compared=parity.compared))
    origin = origin_of(trial, stage)
    if origin is None and not parity.ok:
        broken = hand_off_finding(NAME, trial, stage, parity)
        yield broken
        origin = broken.stage
    for event in events:
        if isinstance(event, Finding) and origin is not None and event.severity is Severity.ERROR:
            yield _after(event, origin, stage)
        else:
            yield event


def _after(finding: Finding, origin: str, stage: str) -> Finding:
    """Return the finding as one that follows from a difference of its own stage, or of an earlier one."""
    advice = finding.advice if origin == stage else f"The difference originates at '{origin}'. Start there."
    return replace(finding, downstream=True, advice=advice, evidence={**finding.evidence, "origin": origin})


def stages(trial: Trial) -> Sequence[str]:
    """Return every stage, and the live service where the pipeline has one that can be started here."""
    return (*every_stage(trial), SERVICE) if can_serve(trial) else every_stage(trial)


check = Check(NAME, run=run, stages=stages, order=20, reusable=True)
