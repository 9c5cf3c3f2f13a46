"""The sum of the events of a run: its verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from seatrial.events.event import Case, Evaluated, Event, Finding, Measurement, NotEvaluated, Severity
from seatrial.events.origins import with_origins
from seatrial.events.verdict import Outcome, Subject, Verdict


def total(
    events: Iterable[Event],
    *,
    subject: Subject,
    path: Sequence[str],
    planned: Sequence[Case],
    seed: int = 0,
    seconds: float = 0.0,
    reference_digest: str = "",
    policy_digest: str = "",
    dependencies: Sequence[str] = (),
    optional: Collection[str] = (),
) -> Verdict:
    """Sum events up to the verdict.

    An error finding makes it *fail*; a check that crashed makes it *error*. A planned case that ended without a
    result or compared nothing makes it *inconclusive*, and so does a run without any planned case.

    Args:
        events: what the checks yielded.
        subject: the version.
        path: the places of the path in order.
        planned: every case that should have been evaluated.
        seed: the seed of every random choice.
        seconds: the time the run took.
        reference_digest: the digest of the reference.
        policy_digest: the digest of the policy.
        dependencies: those places of the path that are dependencies.
        optional: checks whose cases may stay without a result. At least one case of another one must have been
            evaluated, and a crash counts whatever check it is of.

    Example:
        >>> events = [Evaluated("golden", "features", compared=5), NotEvaluated("load", "service", "Too few requests.")]
        >>> planned = [Case("golden", "features"), Case("load", "service")]
        >>> subject, path = Subject("payments"), ["features", "service"]
        >>> total(events, subject=subject, path=path, planned=planned).outcome.value
        'inconclusive'
        >>> total(events, subject=subject, path=path, planned=planned, optional=["load"]).summary
        'pass: 1 case, 5 comparisons; not evaluated, as the policy allows: load'
    """
    seen = list(events)
    findings = with_origins([e for e in seen if isinstance(e, Finding)], path)
    evaluated = tuple(e for e in seen if isinstance(e, Evaluated))
    not_evaluated = [e for e in seen if isinstance(e, NotEvaluated)]
    not_evaluated += [NotEvaluated(e.check, e.stage, "Nothing was compared.") for e in evaluated if e.compared <= 0]
    ended = {(e.check, e.stage) for e in evaluated} | {(e.check, e.stage) for e in not_evaluated}
    not_evaluated += [
        NotEvaluated(case.check, case.stage, "The check ended without a result.")
        for case in planned
        if (case.check, case.stage) not in ended
    ]
    if not planned:
        reason = "No check was selected, or none applies to this pipeline. List the checks: seatrial plugins"
        not_evaluated.append(NotEvaluated("run", None, reason))
    if any(f.severity is Severity.ERROR for f in findings):
        outcome = Outcome.FAIL
    elif any(n.crashed for n in not_evaluated):
        outcome = Outcome.ERROR
    elif any(n.check not in optional for n in not_evaluated) or not any(e.check not in optional for e in evaluated):
        outcome = Outcome.INCONCLUSIVE
    else:
        outcome = Outcome.PASS
    return Verdict(
        outcome=outcome,
        subject=subject,
        path=tuple(path),
        findings=findings,
        measurements=tuple(e for e in seen if isinstance(e, Measurement)),
        evaluated=evaluated,
        not_evaluated=tuple(not_evaluated),
        seed=seed,
        seconds=seconds,
        reference_digest=reference_digest,
        policy_digest=policy_digest,
        dependencies=tuple(dependencies),
    )
