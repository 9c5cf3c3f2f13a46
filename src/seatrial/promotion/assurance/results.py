"""The results of a verdict beside the thresholds that they were judged by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import cast

from seatrial.events import Measurement, Verdict
from seatrial.promotion.assurance.model import Number, Result, State, Threshold
from seatrial.promotion.assurance.then import Origin, PolicyThen
from seatrial.promotion.assurance.thresholds import Declared, of_case
from seatrial.sinks.outline import CaseResult, results
from seatrial.sinks.text import neutral

GOOD = ("passed", "warning")
OPEN = "not evaluated"
UNKNOWN = "The policy of the run is not known."
ALL_COUNT = ("environment",)  # checks without a threshold: known also where the policy is not


def thresholds_of(policy: PolicyThen, settings: Iterable[Declared]) -> tuple[Threshold, ...]:
    """Return each setting of the policy of a run, with who set it."""
    return tuple(_threshold(each, policy.origins[each.file]) for each in settings)


def results_of(verdict: Verdict, policy: PolicyThen, settings: tuple[Declared, ...]) -> tuple[Result, ...]:
    """Return the result of each case.

    A result is counted where every threshold of its case was committed before the run; one of a check without any
    threshold is, and none is where the policy of the run is not known.
    """
    numbers: dict[tuple[str, str | None], list[Number]] = {}
    for each in verdict.measurements:
        numbers.setdefault((each.check, each.stage), []).append(_number(each))
    return tuple(
        _result(case, policy, settings, tuple(numbers.get((case.case.check, case.case.stage), ())))
        for case in results(verdict)
    )


def worst(found: Iterable[Result]) -> str:
    """Return the gravest of some states: ``failed``, ``inconclusive``, or ``passed``."""
    states = {each.state for each in found}
    if states - {*GOOD, OPEN}:
        return "failed"
    return "inconclusive" if OPEN in states else "passed"


def not_counted(found: Iterable[Result], thresholds: Mapping[str, Threshold], *, known: bool) -> str:
    """Return why some results are not counted, as a sentence; empty where all are.

    Args:
        found: the results.
        thresholds: by id.
        known: whether the policy of the run is.
    """
    out = [each for each in found if not each.counted]
    if not out:
        return ""
    if not known:
        return UNKNOWN
    reasons = {thresholds[t].reason: t for each in out for t in each.thresholds if not thresholds[t].counted}
    return " ".join(f"{threshold}: {reason}" for reason, threshold in reasons.items())


def iso(seconds: float) -> str:
    """Return a time in UTC as ISO 8601; empty for 0.

    Example:
        >>> iso(1_800_000_000), iso(0)
        ('2027-01-15T08:00:00Z', '')
    """
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}" if seconds else ""
    except (OverflowError, OSError, ValueError):
        return ""


def _threshold(setting: Declared, origin: Origin) -> Threshold:
    return Threshold(
        id=setting.id, value=setting.value, author=origin.author, at=iso(origin.at), commit=origin.commit,
        counted=origin.counted, reason=origin.reason,
    )  # fmt: skip


def _result(
    case: CaseResult, policy: PolicyThen, settings: tuple[Declared, ...], numbers: tuple[Number, ...]
) -> Result:
    check, stage = case.case.check, case.case.stage
    judged = of_case(settings, check, stage)
    known = policy.files is not None or check in ALL_COUNT
    return Result(
        id=str(case.case), check=check, stage=stage or "", state=cast(State, case.state.value), says=_says(case),
        compared=case.compared, numbers=numbers, thresholds=tuple(each.id for each in judged),
        counted=known and all(policy.origins[each.file].counted for each in judged),
    )  # fmt: skip


def _says(case: CaseResult) -> str:
    reasons = [f.message for f in case.errors] or [n.reason for n in case.not_evaluated]
    return neutral(reasons[0], 600) if reasons else "" if case.compared else "Nothing was compared."


def _number(measured: Measurement) -> Number:
    value = float(measured.value)
    return Number(
        name=measured.name, column=measured.column or "", value=value if math.isfinite(value) else str(value),
        unit=measured.unit,
    )  # fmt: skip
