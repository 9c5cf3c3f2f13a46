"""The engine: ask every question, let the sinks hear every event, sum up. It needs no server of any kind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from seatrial import checks as _checks
from seatrial.checks.base import Check
from seatrial.errors import SeatrialError, StageError
from seatrial.events import Case, Evaluated, Event, Finding, NotEvaluated, Severity, Subject, Verdict, total
from seatrial.pipeline import SERVICE, Pipeline, describe
from seatrial.policy.policy import Policy
from seatrial.reference.provenance import provenance_findings
from seatrial.reference.snapshot import Reference
from seatrial.sinks.base import Sink
from seatrial.trial import Trial


def plan(checks: Iterable[Check], trial: Trial) -> list[tuple[Check, Case]]:
    """Return every question with the check that asks it, in order."""
    return [(check, case) for check in checks for case in check.cases(trial)]


def run_case(check: Check, trial: Trial, case: Case) -> list[Event]:
    """Ask one question and return its events. A check that crashes becomes an event; it is never a pass."""
    begin = time.perf_counter()
    events: list[Event] = []
    try:
        events.extend(check.run(trial, case.stage))
    except StageError as error:
        advice = "Run this stage on the reference's input in a debugger: it is deterministic and needs no server."
        events.append(Finding(check.name, error.stage, str(error), cause="stage-broke", advice=advice))
        events.append(Evaluated(check.name, case.stage, compared=1))
    except SeatrialError as error:
        events.append(NotEvaluated(check.name, case.stage, str(error), crashed=True))
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever broke, the others are still asked
        events.append(NotEvaluated(check.name, case.stage, f"the check crashed: {describe(error)}", crashed=True))
    if not any(
        isinstance(e, Evaluated | NotEvaluated) and (e.check, e.stage) == (check.name, case.stage) for e in events
    ):
        events.append(NotEvaluated(check.name, case.stage, "the check ended without an answer"))
    spent = time.perf_counter() - begin
    return [_timed(e, spent) if isinstance(e, Evaluated) else e for e in events]


def stream(checks: Iterable[Check], trial: Trial) -> Iterator[Event]:
    """Ask everything, one question after the other, and yield the events as they come."""
    for check, case in plan(checks, trial):
        yield from run_case(check, trial, case)


def verdict_of(
    events: Iterable[Event],
    trial: Trial,
    planned: Sequence[Case],
    *,
    subject: Subject | None = None,
    seconds: float = 0.0,
) -> Verdict:
    """Sum the events of a trial up."""
    return total(
        [*provenance_findings(trial.reference), *events],
        subject=subject or Subject(trial.pipeline.name),
        path=(*trial.pipeline.path, *([SERVICE] if any(q.stage == SERVICE for q in planned) else [])),
        planned=planned,
        seed=trial.seed,
        seconds=seconds,
        reference_digest=trial.reference.digest,
        policy_digest=trial.policy.digest,
        dependencies=tuple(trial.pipeline.dependencies),
    )


def run(
    pipeline: Pipeline,
    reference: Reference,
    checks: Sequence[str | Check] | None = None,
    *,
    model: Any = None,
    policy: Policy | None = None,
    sinks: Sequence[Sink] = (),
    live: Sequence[str] = (),
    champion: Any = None,
    subject: Subject | None = None,
    seed: int = 0,
) -> Verdict:
    """Take a version to sea: ask every check's questions and return the verdict.

    Args:
        pipeline: the path under trial.
        reference: what training saw.
        checks: names of checks or checks of your own; all that seatrial has by default.
        model: the loaded model, or the local path of one that ``pipeline.model`` loads.
        policy: what must hold; schema and parity of every stage by default.
        sinks: where events go. One that raises is told no more, and the verdict carries a warning that says so.
        live: dependencies to ask again beside their recorded answers.
        champion: the promoted version's model, loaded or a path, for the quality check.
        subject: who is on trial, where a registry knows.
        seed: of every random choice.

    Raises:
        ReferenceInvalid: a reference that does not match the pipeline.
        UsageError: an unknown check.
    """
    begin = time.perf_counter()
    named = _checks.named([c for c in checks if isinstance(c, str)] if checks is not None else None)
    by_name = {c.name: c for c in named}
    chosen = named if checks is None else [by_name[c] if isinstance(c, str) else c for c in checks]
    trial = Trial(
        pipeline, reference, policy=policy, model=loaded(pipeline, model), live=live,
        champion=loaded(pipeline, champion), seed=seed,
        model_path=os.fspath(model) if isinstance(model, str | os.PathLike) else None,
    )  # fmt: skip
    cases = plan(chosen, trial)
    planned = [case for _, case in cases]
    listening, events = list(sinks), list[Event]()
    deaf = _tell(listening, "planned", planned)
    trial.on_progress = lambda *how_far: deaf.extend(_tell(listening, "progress", *how_far))
    with trial:  # a service that a check started ends here
        for check, case in cases:
            for event in run_case(check, trial, case):
                events.append(event)
                deaf += _tell(listening, "event", event)
    verdict = verdict_of([*events, *deaf], trial, planned, subject=subject, seconds=time.perf_counter() - begin)
    late = _tell(listening, "verdict", verdict)
    return replace(verdict, findings=(*verdict.findings, *late))


def loaded(pipeline: Pipeline, model: Any) -> Any:
    """Return the model itself where its local path was given."""
    return pipeline.model(os.fspath(model)) if pipeline.model and isinstance(model, str | os.PathLike) else model


def _tell(sinks: list[Sink], what: str, *said: Any) -> list[Finding]:
    """Tell every sink; one that raises hears no more, and that is a warning: it must not turn a verdict around."""
    lost = []
    for sink in list(sinks):
        try:
            getattr(sink, what)(*said)
        except Exception as error:  # noqa: BLE001  whatever a sink raises is the sink's own trouble
            sinks.remove(sink)
            words = f"{type(sink).__name__} broke, and what it writes is not whole: {describe(error)}"
            lost.append(Finding("run", None, words, severity=Severity.WARNING, cause="sink-broke"))
    return lost


def _timed(evaluated: Evaluated, seconds: float) -> Evaluated:
    return replace(evaluated, seconds=round(seconds, 4))
