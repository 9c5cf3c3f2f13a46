"""A verdict arranged for showing: one answer a question, one state a place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from seatrial.events import Case, Evaluated, Finding, NotEvaluated, Outcome, Severity, Verdict
from seatrial.sinks.text import plural


class State(StrEnum):
    """How a question or a place came out, the gravest first; a state is always shown as these words too."""

    BORN = "born here"
    PROPAGATED = "downstream"
    UNJUDGED = "not judged"
    UNASKED = "not asked"
    WARNED = "warning"
    PASSED = "pass"

    @property
    def slug(self) -> str:
        """One word, for style sheets and ids."""
        return self.name.lower()


GRAVITY = {state: rank for rank, state in enumerate(State)}


@dataclass(frozen=True)
class CaseResult:
    """Everything that was said to one question."""

    case: Case
    evaluated: tuple[Evaluated, ...] = ()
    findings: tuple[Finding, ...] = ()
    not_evaluated: tuple[NotEvaluated, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that fail the version."""
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)

    @property
    def compared(self) -> int:
        """Things really looked at."""
        return sum(max(0, j.compared) for j in self.evaluated)

    @property
    def seconds(self) -> float:
        """Time the answer took."""
        return sum(j.seconds for j in self.evaluated)

    @property
    def cached(self) -> bool:
        """Whether the whole answer was taken from an earlier, identical run."""
        return bool(self.evaluated) and all(j.cached for j in self.evaluated)

    @property
    def state(self) -> State:
        """The gravest of what was said; an answer that looked at nothing is not judged."""
        if self.errors:
            return State.PROPAGATED if all(f.downstream for f in self.errors) else State.BORN
        if self.not_evaluated or not self.compared:
            return State.UNJUDGED
        return State.WARNED if any(f.severity is Severity.WARNING for f in self.findings) else State.PASSED


@dataclass(frozen=True)
class Place:
    """A place of the path and what its questions say together."""

    name: str
    answers: tuple[CaseResult, ...]

    @property
    def state(self) -> State:
        """The gravest state of its questions; a place that nobody asked is not passed."""
        return min((a.state for a in self.answers), key=GRAVITY.__getitem__, default=State.UNASKED)

    @property
    def detail(self) -> str:
        """A few words under the state: how much was found, or looked at."""
        if self.state in (State.BORN, State.PROPAGATED):
            return plural(sum(len(a.errors) for a in self.answers), "finding")
        if self.state is State.UNJUDGED:
            open_ = sum(a.state is State.UNJUDGED for a in self.answers)
            return f"{open_} of {plural(len(self.answers), 'question')}"
        return f"{sum(a.compared for a in self.answers):,} compared" if self.answers else ""


def answers(verdict: Verdict) -> tuple[CaseResult, ...]:
    """Return one answer a question in the order of the path, questions to the whole path last."""
    said: dict[Case, list[Evaluated | Finding | NotEvaluated]] = {}
    events: list[Evaluated | Finding | NotEvaluated] = [*verdict.evaluated, *verdict.findings, *verdict.not_evaluated]
    for event in events:
        said.setdefault(Case(event.check, event.stage), []).append(event)
    gathered = [
        CaseResult(
            case,
            tuple(e for e in about if isinstance(e, Evaluated)),
            tuple(e for e in about if isinstance(e, Finding)),
            tuple(e for e in about if isinstance(e, NotEvaluated)),
        )
        for case, about in said.items()
    ]
    rank = {place: at for at, place in enumerate(verdict.path)}
    elsewhere = len(rank)

    def order(answer: CaseResult) -> int:
        stage = answer.case.stage
        return elsewhere + 1 if stage is None else rank.get(stage, elsewhere)

    return tuple(sorted(gathered, key=order))


def places(verdict: Verdict) -> tuple[Place, ...]:
    """Return the places of the path in order, each with its answers."""
    all_answers = answers(verdict)
    return tuple(Place(p, tuple(a for a in all_answers if a.case.stage == p)) for p in verdict.path)


def decisive(verdict: Verdict) -> Finding | NotEvaluated | None:
    """Return the event that decides a verdict which is no pass: the first born error, crash or open question."""
    if verdict.outcome is Outcome.FAIL:
        born = (f for f in verdict.errors if f.stage == verdict.first_failing_stage)
        return next(born, next(iter(verdict.errors), None))
    if verdict.outcome is Outcome.PASS:
        return None
    crashed = (u for u in verdict.not_evaluated if u.crashed)
    return next(crashed, next(iter(verdict.not_evaluated), None))


def reason(verdict: Verdict) -> str:
    """Return the summary without its first words: why the verdict is what it is, in one sentence."""
    event = decisive(verdict)
    if isinstance(event, Finding):
        return event.message
    return event.reason if event else verdict.summary.partition(": ")[2]
