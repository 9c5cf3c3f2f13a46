"""The engine: run every case, send each event to the sinks, sum up to a verdict. It needs no server of any kind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from seatrial import checks as _checks
from seatrial.checks.base import Check
from seatrial.checks.serving.budget import machine_refused
from seatrial.errors import Interrupted, SeatrialError, StageError
from seatrial.events import Case, Evaluated, Event, Finding, NotEvaluated, Severity, Subject, Verdict, total
from seatrial.events.redaction import redacted
from seatrial.pipeline import SERVICE, Pipeline, describe
from seatrial.pipeline.access import Access
from seatrial.policy.policy import Policy
from seatrial.reference.provenance import partition_findings, provenance_findings
from seatrial.reference.snapshot import Reference
from seatrial.sinks.base import Sink
from seatrial.sinks.secrets import secrets_of
from seatrial.targets.protocol import Target
from seatrial.trial import Trial


def plan(checks: Iterable[Check], trial: Trial) -> list[tuple[Check, Case]]:
    """Return every case with its check, in the order they will run."""
    return [(check, case) for check in checks for case in check.cases(trial)]


def side_by_side(cases: Sequence[Case]) -> list[Case]:
    """Return cases in the order in which they begin where a few run at once.

    The first of the invariants leads: it has the worker ask all stages together. The others of them wait for that, and
    come last, so that the judge compares meanwhile.

    Example:
        >>> cases = [Case(check, stage) for check in ("golden", "invariants") for stage in ("raw", "score")]
        >>> [str(case) for case in side_by_side(cases)]
        ['raw · invariants', 'raw · golden', 'score · golden', 'score · invariants']
    """
    invariants = [case for case in cases if case.check == "invariants"]
    return [*invariants[:1], *(case for case in cases if case not in invariants), *invariants[1:]]


def run_case(check: Check, trial: Trial, case: Case) -> list[Event]:
    """Run one case and return its events. A check that crashes yields a ``NotEvaluated`` event, never a pass.

    Raises:
        Interrupted: what does its work is away.
    """
    if check.alone and (reason := machine_refused(trial)):
        return [NotEvaluated(check.name, case.stage, reason)]
    begin = time.perf_counter()
    events: list[Event] = []
    try:
        events.extend(check.run(trial, case.stage))
    except StageError as error:
        advice = "Run this stage on its recorded input in a debugger: it is deterministic and needs no server."
        events.append(Finding(check.name, error.stage, str(error), cause="stage-broke", advice=advice))
        events.append(Evaluated(check.name, case.stage, compared=1))
    except Interrupted:
        raise
    except SeatrialError as error:
        events.append(NotEvaluated(check.name, case.stage, str(error), crashed=True))
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever this check raised, the other cases still run
        events.append(NotEvaluated(check.name, case.stage, f"The check crashed: {describe(error)}.", crashed=True))
    if not any(
        isinstance(e, Evaluated | NotEvaluated) and (e.check, e.stage) == (check.name, case.stage) for e in events
    ):
        events.append(NotEvaluated(check.name, case.stage, "The check ended without a result."))
    if forms := Access(secrets=(*trial.access.secrets, *_own_secrets(trial, case))).forms():
        events = [redacted(event, forms) for event in events]
    took = round(time.perf_counter() - begin, 4)
    return [replace(e, seconds=took) if isinstance(e, Evaluated) else e for e in events]


def _own_secrets(trial: Trial, case: Case) -> list[str]:
    """Return the judge's own credentials, but none that is part of a name by which results are found."""
    names = (str(case), *trial.pipeline.stages, *trial.pipeline.dependencies)
    return [secret for secret in secrets_of(os.environ) if not any(secret in name for name in names)]


def in_order_of_causes(events: Sequence[Event], checks: Iterable[Check]) -> list[Event]:
    """Return the events with the errors of checks that explain others first among the errors of their stage."""
    explaining = {check.name for check in checks if check.explains}
    errors = [n for n, e in enumerate(events) if isinstance(e, Finding) and e.severity is Severity.ERROR]
    first = {events[n].stage: n for n in reversed(errors)}
    places = {n: (first[events[n].stage], events[n].check not in explaining, n) for n in errors}
    return [events[n] for n in sorted(range(len(events)), key=lambda n: places.get(n, (n, True, n)))]


def verdict_of(
    events: Iterable[Event],
    trial: Trial,
    planned: Sequence[Case],
    *,
    subject: Subject | None = None,
    seconds: float = 0.0,
) -> Verdict:
    """Return the verdict that the events of a trial sum up to.

    Args:
        events: what the cases yielded.
        trial: the trial they belong to; remarks on its reference are added to them.
        planned: every case that should have been evaluated.
        subject: the version; the pipeline's name where no registry knows it.
        seconds: the time the run took.
    """
    return total(
        [*provenance_findings(trial.reference), *partition_findings(trial.partitioned), *events],
        subject=subject or Subject(trial.pipeline.name),
        path=(*trial.pipeline.path, *([SERVICE] if any(q.stage == SERVICE for q in planned) else [])),
        planned=planned,
        seed=trial.seed,
        seconds=seconds,
        reference_digest=trial.reference_digest,
        policy_digest=trial.policy.digest,
        dependencies=tuple(trial.pipeline.dependencies),
        optional=trial.policy.service.verdict.optional,
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
    service: Target | None = None,
    subject: Subject | None = None,
    seed: int = 0,
) -> Verdict:
    """Validate a version: run every case of the checks and return the verdict.

    Args:
        pipeline: the path to validate.
        reference: what the stages returned at training time.
        checks: names of checks, checks of your own, or both; by default every check that seatrial knows.
        model: the loaded model, or the local path of one that ``pipeline.model`` loads.
        policy: tolerances, expectations and limits; by default every stage must match the reference.
        sinks: where events go. A sink that raises receives nothing more, and the verdict carries a warning.
        live: dependencies to call now, in addition to replaying their recorded responses.
        champion: the champion's model, loaded or a path, for the quality check.
        service: a target that takes the place of the pipeline's service, such as
            :class:`seatrial.targets.inprocess.InProcessService`; no process is started then.
        subject: the version, where a registry knows it.
        seed: the seed of every random choice.

    Raises:
        ReferenceInvalid: the reference does not match the pipeline.
        PolicyError: a tolerance is declared for no column of the reference, or cannot apply to its column.
        UsageError: there is no such check.

    Example:
        >>> import pandas as pd
        >>> from seatrial import Pipeline, capture, run
        >>> requests = pd.DataFrame({"id": ["t-1", "t-2"], "amount": [8.0, 2.0]})
        >>> def halve(frame):
        ...     return frame.assign(score=frame["amount"] / 2)
        >>> trained = Pipeline("shop", key="id", raw=lambda frame: frame, score=halve)
        >>> reference = capture(trained, requests)
        >>> run(trained, reference, ["golden"]).outcome.value
        'pass'
        >>> served = Pipeline("shop", key="id", raw=lambda frame: frame, score=lambda frame: frame.assign(score=9.0))
        >>> run(served, reference, ["golden"]).first_failing_stage
        'score'
    """
    begin = time.perf_counter()
    named = _checks.named([c for c in checks if isinstance(c, str)] if checks is not None else None)
    by_name = {c.name: c for c in named}
    chosen = named if checks is None else [by_name[c] if isinstance(c, str) else c for c in checks]
    trial = Trial(
        pipeline, reference, policy=policy, model=loaded(pipeline, model), live=live,
        champion=loaded(pipeline, champion), seed=seed, service=service,
        model_path=os.fspath(model) if isinstance(model, str | os.PathLike) else None,
    )  # fmt: skip
    for check in chosen:
        check.prepare(trial)
    cases = plan(chosen, trial)
    planned = [case for _, case in cases]
    receiving, events = list(sinks), list[Event]()
    failed = _send(receiving, "planned", planned)
    trial.on_progress = lambda *progress: failed.extend(_send(receiving, "progress", *progress))
    with trial:  # a service that a check started ends here
        for check, case in cases:
            for event in run_case(check, trial, case):
                events.append(event)
                failed += _send(receiving, "event", event)
    told = [*in_order_of_causes(events, chosen), *failed]
    verdict = verdict_of(told, trial, planned, subject=subject, seconds=time.perf_counter() - begin)
    late = _send(receiving, "verdict", verdict)
    return replace(verdict, findings=(*verdict.findings, *late))


def loaded(pipeline: Pipeline, model: Any) -> Any:
    """Return the model, loaded by ``pipeline.model`` where a local path was given."""
    return pipeline.model(os.fspath(model)) if pipeline.model and isinstance(model, str | os.PathLike) else model


def _send(sinks: list[Sink], method: str, *arguments: Any) -> list[Finding]:
    """Call a method of every sink. One that raises is removed and reported: it must not change the outcome."""
    warnings = []
    for sink in list(sinks):
        try:
            getattr(sink, method)(*arguments)
        except Exception as error:  # noqa: BLE001  a sink may raise anything
            sinks.remove(sink)
            name = getattr(sink, "name", "") or type(sink).__name__
            message = f"Sink '{name}' raised {describe(error)}; its output is incomplete. The verdict is unaffected."
            warnings.append(Finding("run", None, message, severity=Severity.WARNING, cause="sink-broke"))
    return warnings
