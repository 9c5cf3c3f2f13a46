"""The verdict on a version: the sum of the events of a run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

from seatrial.errors import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS
from seatrial.events.event import Evaluated, Finding, Measurement, NotEvaluated, Severity
from seatrial.formatting import plural


class Outcome(str, Enum):
    """The outcome of a run. Only a version with outcome ``pass`` is promoted.

    Example:
        >>> [(outcome.value, outcome.exit_code) for outcome in Outcome]
        [('pass', 0), ('fail', 1), ('inconclusive', 2), ('error', 2)]
    """

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    __str__ = str.__str__

    @property
    def exit_code(self) -> int:
        """Return 0 for pass, 1 for fail, and 2 where no verdict on the version could be reached."""
        return {Outcome.PASS: EXIT_PASS, Outcome.FAIL: EXIT_FAIL}.get(self, EXIT_INCONCLUSIVE)


@dataclass(frozen=True)
class Subject:
    """The version under validation. Outside a registry only ``model`` is set.

    Attributes:
        model: the name of the registered model, or of the pipeline.
        version: its version in the registry.
        registry: the address of the registry.
        created: when the version was registered, in milliseconds since 1970, UTC.
        digest: the digest of the version's files.
        code_digest: the digest of the code that makes the path and the service.

    Example:
        >>> str(Subject("payments", "2")), str(Subject("payments"))
        ('payments version 2', 'payments')
    """

    model: str
    version: str = ""
    registry: str = ""
    created: int = 0
    digest: str = ""
    code_digest: str = ""

    def __str__(self) -> str:
        return f"{self.model} version {self.version}" if self.version else self.model


UNDECIDED = "openapi unknown changes"  # the measurement that a pass tells in its first line


@dataclass(frozen=True)
class Verdict:
    """The verdict on a version. Exit code, report, Prefect state and MLflow tags are all made from this one object.

    Attributes:
        outcome: pass, fail, inconclusive or error.
        subject: the version.
        path: the places of the path in order: each dependency before the first stage that uses it.
        findings: everything that was found: errors where they originate, then warnings and information, then the
            errors that follow from an origin. The number of a finding is its place here, counted from 1.
        measurements: every number that was recorded.
        evaluated: the cases that were evaluated.
        not_evaluated: the cases that were not, with the reasons.
        seed: the seed of every random choice.
        seconds: the time the run took.
        reference_digest: the digest of the reference.
        policy_digest: the digest of the policy.
        dependencies: those places of the path that are dependencies.

    Example:
        >>> from seatrial.events import Case, total
        >>> events, planned = [Evaluated("golden", "features", compared=500)], [Case("golden", "features")]
        >>> verdict = total(events, subject=Subject("payments"), path=["features"], planned=planned)
        >>> verdict.outcome.value, verdict.exit_code, verdict.summary
        ('pass', 0, 'pass: 1 case, 500 comparisons')
    """

    outcome: Outcome
    subject: Subject
    path: tuple[str, ...]
    findings: tuple[Finding, ...]
    measurements: tuple[Measurement, ...]
    evaluated: tuple[Evaluated, ...]
    not_evaluated: tuple[NotEvaluated, ...]
    seed: int = 0
    seconds: float = 0.0
    reference_digest: str = ""
    policy_digest: str = ""
    dependencies: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """Return the exit code of a command that ends with this verdict."""
        return self.outcome.exit_code

    @property
    def numbered(self) -> Mapping[int, Finding]:
        """Return every finding by its number, by which ``seatrial show`` and every page name it."""
        return dict(enumerate(self.findings, start=1))

    def number(self, finding: Finding) -> int:
        """Return the number of a finding of this verdict.

        Raises:
            ValueError: it is none of them.
        """
        return self.findings.index(finding) + 1

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Return the findings that fail the version, origins before what is downstream of them."""
        failing = (f for f in self.findings if f.severity is Severity.ERROR)
        return tuple(sorted(failing, key=lambda f: f.downstream))

    @property
    def first_failing_stage(self) -> str | None:
        """Return the earliest place of the path where an error originates; None where no error belongs to a place.

        Where only the golden check ran, every error may be downstream: then it is the earliest place with an error.
        """
        origins = {f.stage for f in self.errors if not f.downstream}
        failing = origins if origins & set(self.path) else {f.stage for f in self.errors}
        return next((place for place in self.path if place in failing), None)

    @property
    def summary(self) -> str:
        """Return one line: the outcome and its most important reason."""
        if self.outcome is Outcome.FAIL:
            first = next((f for f in self.errors if f.stage == self.first_failing_stage), self.errors[0])
            where = f" at stage '{first.stage}'" if first.stage else ""
            column = f", column '{first.column}'" if first.column else ""
            return f"fail{where}{column}: {first.message}"
        if self.outcome is Outcome.PASS:
            compared = sum(e.compared for e in self.evaluated)
            undecided = sum(int(m.value) for m in self.measurements if m.name == UNDECIDED)
            breaks = "breaks callers" if undecided == 1 else "break callers"
            told = f"; it is not known whether {plural(undecided, 'OpenAPI change')} {breaks}" if undecided else ""
            if self.not_evaluated:  # of checks that the policy calls optional
                lacking = ", ".join(dict.fromkeys(n.check for n in self.not_evaluated))
                told += f"; not evaluated, as the policy allows: {lacking}"
            if cached := sum(e.cached for e in self.evaluated):
                told += f"; {cached:,} cached"
            return f"pass: {plural(len(self.evaluated), 'case')}, {plural(compared, 'comparison')}{told}"
        reasons = [n.reason for n in sorted(self.not_evaluated, key=lambda n: not n.crashed)]
        return f"{self.outcome.value}: {reasons[0] if reasons else 'Nothing was compared.'}"

    def to_json(self) -> str:
        """Return the verdict as strict JSON text; numbers that JSON lacks (NaN, infinity) become strings."""
        body = {f.name: getattr(self, f.name) for f in fields(self)} | {
            "first_failing_stage": self.first_failing_stage,
            "summary": self.summary,
        }
        return json.dumps(_plain(body), indent=2, ensure_ascii=False, allow_nan=False)


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
