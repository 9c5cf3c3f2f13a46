"""The entries of a finding's evidence that are shown: counts, shares and keys that are listed here, and nothing else.

Evidence never holds values of cells. Should a check break that rule, an entry that is not listed stays hidden.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from seatrial.formatting import number, share
from seatrial.sinks import text

KEYS_SHOWN = 8

NUMBERS: Mapping[str, str] = {
    "rows": "rows",
    "compared": "compared",
    "mismatches": "mismatches",
    "null_flips": "null flips",
    "allowed": "allowed",
    "max_abs": "largest difference",
    "max_abs_diff": "largest difference",
    "max_rel": "largest relative difference",
    "max_rel_diff": "largest relative difference",
    "max_ulp": "largest difference in ULP",
    "missing": "missing",
    "extra": "extra",
    "duplicates": "duplicates",
    "nulls": "nulls",
    "factor": "factor",
    "offset": "offset",
    "higher": "higher than the reference",
    "lower": "lower than the reference",
    "effect": "effect size",
    "psi": "PSI",
    "psi_critical": "PSI threshold",
    "statistic": "statistic",
    "p_value": "p-value",
    "limit": "limit",
    "tolerance": "tolerance",
    "margin": "margin",
    "gain": "gain over the champion",
    "low": "lower bound",
    "high": "upper bound",
    "pairs": "pairs of runs",
    "missed": "over the limit",
    "degraded": "degraded",
    "count": "count",
    "requests": "requests",
    "responses": "responses",
    "errors": "errors",
    "hits": "faults fired",
    "attempts": "attempts",
    "status": "HTTP status",
    "expected_status": "expected HTTP status",
    "queries": "queries",
    "misses": "over the limit",
    "runs": "runs",
    "rate": "requests/s",
    "seconds": "seconds",
    "seed": "seed",
}
"""Numbers that are shown, with their labels. Names that end in one of ``SUFFIXES`` are shown too."""

NONZERO = ("allowed", "null_flips")
"""Numbers that are left out where they are zero: then they say nothing."""

SUFFIXES = ("_seconds", "_rows", "_count", "_share", "_rate", "_requests", "_rtol", "_atol", "_seed")

KEYS: Mapping[str, str] = {
    "worst_keys": "worst rows",
    "worst_key": "worst row",
    "keys": "rows",
    "answered_keys": "rows answered instead",
    "columns": "columns",
    "fields": "fields",
    "faults": "faults",
    "missing_keys": "missing rows",
    "extra_keys": "extra rows",
    "duplicate_keys": "repeated keys",
}
"""Lists of row keys that are shown, with their labels; ``{"count": 5000, "sample": [...]}`` is such a list too."""

SAID = ("share", "how", "follows", "origin", "with", "pictures", "timed", "violations")
"""Entries that are shown in another way: the share with its bar, the formula of a cause in the message, pictures."""

TEXTS: Mapping[str, str] = {
    "direction": "direction of the differences",
    "dtype_expected": "type in the reference",
    "dtype_actual": "type now",
    "fault": "fault",
    "dependency": "dependency",
}
"""Short texts that are shown, with their labels."""


@dataclass(frozen=True)
class Keys:
    """A sample of row keys, and the number of further ones."""

    label: str
    keys: tuple[str, ...]
    more: int = 0

    def __str__(self) -> str:
        return ", ".join(self.keys) + (f" and {self.more:,} more" if self.more else "")


@dataclass(frozen=True)
class Evidence:
    """The part of a finding's evidence that is shown. ``share`` is in 0..1; ``hidden`` counts the other entries."""

    numbers: tuple[tuple[str, str], ...]
    keys: tuple[Keys, ...]
    share: float | None
    hidden: int

    def __str__(self) -> str:
        """Return everything on one line."""
        parts = [f"{label} {value}" for label, value in self.numbers]
        return "; ".join([*parts, *(f"{k.label} {k}" for k in self.keys)])


def evidence(entries: Mapping[str, Any]) -> Evidence:
    """Return the part of a finding's evidence that is shown.

    Example:
        >>> str(evidence({"rows": 500, "mismatches": 12, "keys": ["t-1", "t-2"]}))
        'share 2.4 %; mismatches 12 of 500; rows t-1, t-2'
    """
    numbers, keys, hidden = [], [], 0
    part = _share(entries)
    for name, value in entries.items():
        if name in ("rows", "compared") and "mismatches" in entries and value is _whole(entries):
            continue  # "3 of 5,000" shows it already
        if isinstance(value, Real) and (not math.isfinite(float(value)) or (name in NONZERO and not value)):
            continue  # a relative difference from zero is infinite, and no evidence
        if isinstance(value, Real) and (label := _label(name)):
            numbers.append((label, _number(name, value, entries)))
        elif name in TEXTS and isinstance(value, str):
            numbers += [(TEXTS[name], text.neutral(value, 60))] if value else []
        elif name in KEYS and (found := _keys(value)):
            shown = tuple(text.neutral(k, 60) for k in found[:KEYS_SHOWN])
            keys.append(Keys(KEYS[name], shown, max(_count(value), len(found)) - len(shown)))
        elif name not in SAID:
            hidden += 1
    if part:
        numbers.insert(0, ("share", share(part)))
    return Evidence(tuple(numbers), tuple(keys), part, hidden)


def _label(name: str) -> str | None:
    if name in NUMBERS:
        return NUMBERS[name]
    return name.replace("_", " ") if name.endswith(SUFFIXES) else None


def _number(name: str, value: Real, entries: Mapping[str, Any]) -> str:
    shown = share(float(value)) if name.endswith("_share") else number(value)
    if name == "mismatches" and (whole := _whole(entries)):
        return f"{shown} of {number(whole)}"
    if name in ("status", "expected_status", "seed"):
        return shown.replace(",", "")
    return shown


def _whole(entries: Mapping[str, Any]) -> Real | None:
    whole = entries.get("compared", entries.get("rows"))
    return whole if isinstance(whole, Real) and float(whole) > 0 else None


def _share(entries: Mapping[str, Any]) -> float | None:
    part, whole = entries.get("share"), _whole(entries)
    if not isinstance(part, Real) and isinstance(entries.get("mismatches"), Real) and whole:
        part = float(entries["mismatches"]) / float(whole)
    if not isinstance(part, Real) or not math.isfinite(float(part)):
        return None
    return min(1.0, max(0.0, float(part)))


def _count(value: Any) -> int:
    count = value.get("count") if isinstance(value, Mapping) else None
    return int(count) if isinstance(count, Integral) else 0


def _keys(value: Any) -> list[Any]:
    if isinstance(value, str | Real):
        return [value]
    if isinstance(value, Mapping):
        return _keys(value.get("sample"))
    if not isinstance(value, Iterable):
        return []
    # A list in place of a key may be a row of cells.
    return [k for k in value if isinstance(k, str | Real)]
