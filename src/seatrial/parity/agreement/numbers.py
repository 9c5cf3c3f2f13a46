"""What a tolerance for numbers applies to."""

from __future__ import annotations

import re

from seatrial.parity.agreement.base import Allowance
from seatrial.parity.cells import Rule
from seatrial.parity.columns import Column
from seatrial.parity.logical import PLAIN
from seatrial.parity.tolerance import Tolerance

_NUMBER = re.compile(r"u?int\d+|float\d+|complex\d+|decimal|Fraction|duration")
_FLOAT = re.compile(r"float\d+|complex\d+")
_TIME = re.compile(r"timestamp|date|time")
_ANY = re.compile(r"dict|mixed|null|set|object\[(?!boolean)")  # Python's own cells: they may hold numbers
_LISTS = re.compile(r"list|array|set|tuple|dict|mixed|null")


def rule_of(allowed: Tolerance | Allowance, noise: float = 0.0) -> Rule:
    """Return what holds of one cell."""
    return Rule(allowed, noise) if isinstance(allowed, Tolerance) else allowed.rule(noise)


def refusal(allowed: Tolerance | Allowance, column: Column) -> str:
    """Return what an allowance applies to, where it cannot apply to a column; else the empty string."""
    if not isinstance(allowed, Tolerance):
        return allowed.refusal(column)
    logical = PLAIN.get(column.logical, column.logical)
    if _ANY.search(logical):
        return ""
    if allowed.ulp is not None and not _FLOAT.search(logical):
        return "ulp applies to floats"
    if allowed.as_set and not _LISTS.search(logical):
        return "as_set applies to lists"
    number, time = _NUMBER.search(logical), _TIME.search(logical)
    if (allowed.rtol or allowed.atol) and not (number or time):
        return "rtol and atol apply to numbers, times, and cells that hold them"
    return "rtol would be relative to a date; atol, in seconds, applies to times" if allowed.rtol and not number else ""
