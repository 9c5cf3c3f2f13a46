"""The events of a run. Checks yield them, sinks receive them one at a time, and the verdict is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Severity(str, Enum):
    """The weight of a finding. Only ``error`` fails a version; ``warning`` and ``info`` are reported.

    Example:
        >>> Severity("warning") is Severity.WARNING
        True
    """

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    __str__ = str.__str__


@dataclass(frozen=True)
class Case:
    """One check on one stage, or on the whole path when ``stage`` is None.

    Example:
        >>> str(Case("golden", "features")), str(Case("contract"))
        ('features · golden', 'contract')
    """

    check: str
    stage: str | None = None

    def __str__(self) -> str:
        return f"{self.stage} · {self.check}" if self.stage else self.check


@dataclass(frozen=True)
class Measurement:
    """A number to record with the verdict, such as a metric or a latency.

    Attributes:
        check: the check that measured it.
        stage: the stage it belongs to; None for the whole path.
        name: what was measured, such as ``roc_auc`` or ``p99_seconds``.
        value: the number.
        unit: its unit, such as ``s``; empty for a ratio.
        column: the column it belongs to, where it belongs to one.

    Example:
        >>> Measurement("load", "service", "p99_seconds", 0.042, unit="s").value
        0.042
    """

    check: str
    stage: str | None
    name: str
    value: float
    unit: str = ""
    column: str | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or needs attention.

    Attributes:
        check: the check that found it.
        stage: the stage it was found in; None for the whole path.
        message: what was found and what was expected, in one or two sentences.
        column: the column it was found in, where there is one.
        severity: its weight. Only errors fail a version.
        cause: a short name of the cause, such as ``unit-factor``; None where the cause is not known.
        advice: what to do next.
        evidence: counts, shares, keys and seeds that JSON can carry; never the values of cells.
        downstream: whether the difference follows from one that originates in an earlier stage.

    Example:
        >>> finding = Finding("expectations", "features", "'hour' differs in 12 of 500 rows (2.4 %).", column="hour")
        >>> finding.severity, finding.downstream
        (<Severity.ERROR: 'error'>, False)
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
    """The end of a case that was evaluated.

    Attributes:
        check: the check of the case.
        stage: its stage; None for the whole path.
        compared: the number of comparisons; a case with none does not pass, and makes the run inconclusive.
        seconds: the time it took.
        cached: whether the result of an earlier, identical run was used.
        run: that earlier run: when it ended, and its id; empty otherwise.

    Example:
        >>> Evaluated("golden", "features", compared=5000).cached
        False
    """

    check: str
    stage: str | None
    compared: int
    seconds: float = 0.0
    cached: bool = False
    run: str = ""


@dataclass(frozen=True)
class NotEvaluated:
    """The end of a case that could not be evaluated.

    Attributes:
        check: the check of the case.
        stage: its stage; None for the whole path.
        reason: why, as a sentence.
        crashed: whether the check itself failed, which makes the run an error and not only inconclusive.

    Example:
        >>> NotEvaluated("resilience", None, "The fault 'latency' did not fire.").crashed
        False
    """

    check: str
    stage: str | None
    reason: str
    crashed: bool = False


@dataclass(frozen=True)
class Attachment:
    """A file to store with the results: a suite that ran, raw latencies, a chart.

    Attributes:
        check: the check that made it.
        stage: the stage it belongs to; None for the whole path.
        name: its path in the folder of results, relative, with ``/`` between folders.
        content: its bytes.

    Example:
        >>> Attachment("load", "service", "load/latencies.txt", b"0.042")
        Attachment(check='load', stage='service', name='load/latencies.txt')
    """

    check: str
    stage: str | None
    name: str
    content: bytes = field(repr=False)


Event = Measurement | Finding | Evaluated | NotEvaluated | Attachment
"""Everything a check may yield."""
