"""What a run says: a stream of events, and the verdict that is their sum."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from seatrial.errors import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Severity(StrEnum):
    """How much a finding weighs: only ``error`` fails a version."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Outcome(StrEnum):
    """The four ends of a run. Only ``pass`` promotes."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"

    @property
    def exit_code(self) -> int:
        """0 for pass, 1 for fail, 2 for whatever could not be judged."""
        return {Outcome.PASS: EXIT_PASS, Outcome.FAIL: EXIT_FAIL}.get(self, EXIT_INCONCLUSIVE)


@dataclass(frozen=True)
class Case:
    """One thing a check asks: of one stage, or of the whole path when ``stage`` is None."""

    check: str
    stage: str | None = None

    def __str__(self) -> str:
        return f"{self.stage} · {self.check}" if self.stage else self.check


@dataclass(frozen=True)
class Measurement:
    """A number worth keeping, such as a mismatch share or a metric; ``unit`` is empty for a ratio."""

    check: str
    stage: str | None
    name: str
    value: float
    unit: str = ""
    column: str | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that should not be so.

    ``evidence`` holds counts, shares, keys and seeds that JSON can carry, never values of cells. ``cause`` is a
    short slug where the cause can be told (``unit-factor``); ``advice`` says what to do next. ``downstream`` marks
    a difference that an earlier stage gave birth to.
    """

    check: str
    stage: str | None
    message: str
    column: str | None = None
    severity: Severity = Severity.ERROR
    cause: str | None = None
    advice: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    downstream: bool = False


@dataclass(frozen=True)
class Evaluated:
    """A question was answered: ``compared`` things were really looked at (0 makes the run inconclusive)."""

    check: str
    stage: str | None
    compared: int
    seconds: float = 0.0
    cached: bool = False


@dataclass(frozen=True)
class NotEvaluated:
    """A question could not be answered. ``crashed`` tells a broken check from evidence that is not there."""

    check: str
    stage: str | None
    reason: str
    crashed: bool = False


@dataclass(frozen=True)
class Attachment:
    """A file for the results: a suite that ran, raw latencies, a picture. ``name`` is a relative path."""

    check: str
    stage: str | None
    name: str
    content: bytes = field(repr=False)


Event = Measurement | Finding | Evaluated | NotEvaluated | Attachment


@dataclass(frozen=True)
class Subject:
    """Who is on trial. For a run outside any registry only ``model`` is filled."""

    model: str
    version: str = ""
    registry: str = ""
    created: int = 0
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.model} version {self.version}" if self.version else self.model


@dataclass(frozen=True)
class Verdict:
    """The sum of a run's events: the one object behind exit code, report, Prefect state and MLflow tags."""

    outcome: Outcome
    subject: Subject
    path: tuple[str, ...]  # the places of the path in order: dependencies before the stage that asks them, then stages
    findings: tuple[Finding, ...]
    measurements: tuple[Measurement, ...]
    evaluated: tuple[Evaluated, ...]
    not_evaluated: tuple[NotEvaluated, ...]
    seed: int = 0
    seconds: float = 0.0
    reference_digest: str = ""
    policy_digest: str = ""
    dependencies: tuple[str, ...] = ()  # the places of the path that are asked, not run

    @property
    def exit_code(self) -> int:
        """What a command that ends with this verdict returns to the shell."""
        return self.outcome.exit_code

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that fail the version, those born where they stand first."""
        failing = (f for f in self.findings if f.severity is Severity.ERROR)
        return tuple(sorted(failing, key=lambda f: f.downstream))

    @property
    def first_failing_stage(self) -> str | None:
        """The earliest place of the path where an error was born, or None.

        Where golden alone was asked every error is downstream; then it is the earliest place that one reached.
        """
        born = {f.stage for f in self.errors if not f.downstream}
        found = born if born & set(self.path) else {f.stage for f in self.errors}
        return next((place for place in self.path if place in found), None)

    @property
    def summary(self) -> str:
        """One line for a person: the outcome and the strongest reason for it."""
        if self.outcome is Outcome.FAIL:
            first = next((f for f in self.errors if f.stage == self.first_failing_stage), self.errors[0])
            where = f" at stage '{first.stage}'" if first.stage else ""
            column = f", column '{first.column}'" if first.column else ""
            return f"fail{where}{column}: {first.message}"
        if self.outcome is Outcome.PASS:
            return (
                f"pass: {len(self.evaluated)} questions asked, {sum(j.compared for j in self.evaluated):,} comparisons"
            )
        reasons = [u.reason for u in sorted(self.not_evaluated, key=lambda u: not u.crashed)]
        return f"{self.outcome.value}: {reasons[0] if reasons else 'nothing was compared'}"

    def to_json(self) -> str:
        """Return the verdict as strict JSON text; numbers that JSON lacks (NaN, infinity) become strings."""
        body = {f.name: getattr(self, f.name) for f in fields(self)} | {
            "first_failing_stage": self.first_failing_stage,
            "summary": self.summary,
        }
        return json.dumps(_plain(body), indent=2, ensure_ascii=False, allow_nan=False)


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
) -> Verdict:
    """Sum events into the verdict.

    Every planned question must have been judged on something, or be accounted for; a question that stayed silent,
    or compared nothing, makes the run inconclusive. No planned question at all is inconclusive too.
    """
    seen = list(events)
    findings = tuple(e for e in seen if isinstance(e, Finding))
    evaluated = tuple(e for e in seen if isinstance(e, Evaluated))
    not_evaluated = [e for e in seen if isinstance(e, NotEvaluated)]
    not_evaluated += [NotEvaluated(j.check, j.stage, "nothing was compared") for j in evaluated if j.compared <= 0]
    accounted = {(e.check, e.stage) for e in evaluated} | {(e.check, e.stage) for e in not_evaluated}
    not_evaluated += [
        NotEvaluated(q.check, q.stage, "the check ended without an answer")
        for q in planned
        if (q.check, q.stage) not in accounted
    ]
    if not planned:
        not_evaluated.append(NotEvaluated("run", None, "no check was asked for"))
    if any(f.severity is Severity.ERROR for f in findings):
        outcome = Outcome.FAIL
    elif any(u.crashed for u in not_evaluated):
        outcome = Outcome.ERROR
    elif not_evaluated:
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


def _plain(value: Any) -> Any:
    """Return ``value`` in JSON's own types; anything else becomes its text."""
    plain: Any = str(value)
    if is_dataclass(value) and not isinstance(value, type):
        plain = {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    elif isinstance(value, Mapping):
        plain = {str(k): _plain(v) for k, v in value.items()}
    elif isinstance(value, list | tuple | set | frozenset):
        plain = [_plain(v) for v in value]
    elif isinstance(value, str):
        plain = value.encode("utf-8", "replace").decode()
    elif value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        plain = value
    elif hasattr(value, "item"):
        plain = _plain(value.item())
    return plain
