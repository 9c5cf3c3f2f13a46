"""A verdict arranged for display: one result a case, one state a place of the path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from seatrial.events import Case, Evaluated, Finding, NotEvaluated, Outcome, Severity, Verdict
from seatrial.formatting import plural


class State(StrEnum):
    """The state of a case or a place, the gravest first. It is always shown in these words too, never by colour alone.

    Example:
        >>> State.ORIGIN.value, State.NOT_EVALUATED.slug
        ('failed (origin)', 'not-evaluated')
    """

    ORIGIN = "failed (origin)"
    DOWNSTREAM = "downstream"
    NOT_EVALUATED = "not evaluated"
    NOT_RUN = "not run"
    WARNING = "warning"
    PASSED = "passed"

    @property
    def slug(self) -> str:
        """Return the state as one word, for style sheets and ids."""
        return self.name.lower().replace("_", "-")


GRAVITY = {state: rank for rank, state in enumerate(State)}


@dataclass(frozen=True)
class CaseResult:
    """Everything that was found about one case."""

    case: Case
    evaluated: tuple[Evaluated, ...] = ()
    findings: tuple[Finding, ...] = ()
    not_evaluated: tuple[NotEvaluated, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Return the findings that fail the version."""
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)

    @property
    def compared(self) -> int:
        """Return the number of comparisons."""
        return sum(max(0, e.compared) for e in self.evaluated)

    @property
    def seconds(self) -> float:
        """Return the time the case took, in seconds."""
        return sum(e.seconds for e in self.evaluated)

    @property
    def cached(self) -> bool:
        """Return whether the whole result was taken from an earlier, identical run."""
        return bool(self.evaluated) and all(e.cached for e in self.evaluated)

    @property
    def state(self) -> State:
        """Return the gravest state that the events support; a case that compared nothing was not evaluated."""
        if self.errors:
            return State.DOWNSTREAM if all(f.downstream for f in self.errors) else State.ORIGIN
        if self.not_evaluated or not self.compared:
            return State.NOT_EVALUATED
        return State.WARNING if any(f.severity is Severity.WARNING for f in self.findings) else State.PASSED


@dataclass(frozen=True)
class Place:
    """A place of the path, with the results of its cases."""

    name: str
    results: tuple[CaseResult, ...]

    @property
    def state(self) -> State:
        """Return the gravest state of its cases; a place without a case was not run, and has not passed."""
        return min((r.state for r in self.results), key=GRAVITY.__getitem__, default=State.NOT_RUN)

    @property
    def detail(self) -> str:
        """Return a few words to show with the state: how many findings, open cases or comparisons."""
        if self.state in (State.ORIGIN, State.DOWNSTREAM):
            return plural(sum(len(r.errors) for r in self.results), "finding")
        if self.state is State.NOT_EVALUATED:
            open_ = sum(r.state is State.NOT_EVALUATED for r in self.results)
            return f"{open_:,} of {plural(len(self.results), 'case')}"
        return f"{sum(r.compared for r in self.results):,} compared" if self.results else ""


def results(verdict: Verdict) -> tuple[CaseResult, ...]:
    """Return one result a case in the order of the path, cases on the whole path last."""
    events: list[Evaluated | Finding | NotEvaluated] = [*verdict.evaluated, *verdict.findings, *verdict.not_evaluated]
    by_case: dict[Case, list[Evaluated | Finding | NotEvaluated]] = {}
    for event in events:
        by_case.setdefault(Case(event.check, event.stage), []).append(event)
    gathered = [
        CaseResult(
            case,
            tuple(e for e in about if isinstance(e, Evaluated)),
            tuple(e for e in about if isinstance(e, Finding)),
            tuple(e for e in about if isinstance(e, NotEvaluated)),
        )
        for case, about in by_case.items()
    ]
    rank = {place: at for at, place in enumerate(verdict.path)}
    elsewhere = len(rank)

    def order(result: CaseResult) -> int:
        stage = result.case.stage
        return elsewhere + 1 if stage is None else rank.get(stage, elsewhere)

    return tuple(sorted(gathered, key=order))


def earlier_runs(verdict: Verdict) -> tuple[str, ...]:
    """Return a sentence for each earlier run whose results were used: which run, and of how many cases.

    Example:
        >>> from seatrial.events import Subject, total
        >>> kept = Evaluated("golden", "raw", 5, cached=True, run="2026-01-02 10:00:00 UTC, 7f31")
        >>> earlier_runs(total([kept], subject=Subject("shop"), path=["raw"], planned=[Case("golden", "raw")]))
        ('1 case is cached: its result is from the run of 2026-01-02 10:00:00 UTC, 7f31.',)
    """
    cases = [(result.case, e.run) for result in results(verdict) for e in result.evaluated if e.cached]
    counts = Counter(run for _, run in dict.fromkeys(cases))
    return tuple(
        f"{plural(n, 'case')} {'is cached: its result is' if n == 1 else 'are cached: their results are'} from the run "
        f"of {run}."
        for run, n in counts.items()
    )


def places(verdict: Verdict) -> tuple[Place, ...]:
    """Return the places of the path in order, each with the results of its cases."""
    every = results(verdict)
    return tuple(Place(p, tuple(r for r in every if r.case.stage == p)) for p in verdict.path)


def downstream(findings: Sequence[Finding]) -> dict[str | None, tuple[str, ...]]:
    """Return the columns that differ downstream, by place; empty where the place was not reached.

    A place whose downstream columns also originate there is left out: its origins state more.
    """
    origins = {(f.stage, f.column) for f in findings if not f.downstream}
    found: dict[str | None, dict[str, None]] = {}
    for f in findings:
        if f.downstream and (f.stage, f.column) not in origins:
            found.setdefault(f.stage, {}).update(dict.fromkeys(_columns(f)))
    return {place: tuple(columns) for place, columns in found.items()}


def _columns(finding: Finding) -> Sequence[str]:
    """Return the columns of a finding, of which it may have many for one cause."""
    listed = finding.evidence.get("columns")
    if isinstance(listed, list | tuple) and all(isinstance(name, str) for name in listed):
        return listed
    return [finding.column] if finding.column else []


def decisive(verdict: Verdict) -> Finding | NotEvaluated | None:
    """Return the event that decides a verdict other than pass: the first origin, crash, or case not evaluated."""
    if verdict.outcome is Outcome.FAIL:
        first = (f for f in verdict.errors if f.stage == verdict.first_failing_stage)
        return next(first, next(iter(verdict.errors), None))
    if verdict.outcome is Outcome.PASS:
        return None
    crashed = (n for n in verdict.not_evaluated if n.crashed)
    return next(crashed, next(iter(verdict.not_evaluated), None))


def reason(verdict: Verdict) -> str:
    """Return the reason for the verdict in one sentence: its summary without the outcome."""
    event = decisive(verdict)
    if isinstance(event, Finding):
        return event.message
    return event.reason if event else verdict.summary.partition(": ")[2]
