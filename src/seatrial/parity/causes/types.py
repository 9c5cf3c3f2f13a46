"""Causes that are about types and nulls."""

from __future__ import annotations

import numpy as np

from seatrial.parity.causes.change import ENOUGH, Cause, ColumnChange
from seatrial.parity.causes.rows import (
    _codes,
    _few_values,
    _one,
)

# What pandas.read_csv reads as missing by default, in lower case.
NA_STRINGS = frozenset({"", "#n/a", "#na", "-nan", "<na>", "n/a", "na", "nan", "none", "null"})


def default_fill(change: ColumnChange) -> Cause | None:
    """One constant replaces null, or values that varied."""
    filled = change.flips[~change.actual.take(change.flips).is_null()]
    if len(filled) < len(change.flips) or len(filled) + len(change.rows) < ENOUGH:
        return None
    became = _codes(change.actual, np.append(change.rows, filled))
    if became is None or not _one(became):
        return None
    if len(filled):
        return Cause("default-fill", f"one constant replaces null in {change.count()}")
    was = _codes(change.expected, change.rows)
    if was is None or _few_values(change.expected):
        return None
    what = "another constant" if _one(was) else "varied values"
    return Cause("default-fill", f"one constant replaces {what} in {change.count()}")


def null_handling(change: ColumnChange) -> Cause | None:
    """Values became null, or nulls became values."""
    differing = len(change.flips) + len(change.rows)
    lost = change.flips[change.actual.take(change.flips).is_null()]
    if len(change.flips) < ENOUGH or len(change.flips) < 0.99 * differing:
        return None
    if not len(lost):
        return Cause("null-handling", f"null became values in {change.count()}")
    if len(lost) < 0.99 * differing:
        return None
    was = change.expected.take(lost[:1000]).objects()
    if all(isinstance(cell, str) and cell.strip().lower() in NA_STRINGS for cell in was):
        return Cause("null-handling", f"text that reads as missing (NA and its like) is null in {change.count()}")
    return Cause("null-handling", f"values became null in {change.count()}")


def dtype_coercion(change: ColumnChange) -> Cause | None:
    """Numbers or booleans as text, or text as numbers; or another type with the same values."""
    before, after = change.expected.logical, change.actual.logical
    if before == after:
        return None
    if not len(change.rows) and not len(change.flips):
        return Cause("dtype-coercion", f"{after} in place of {before}; every value is equal")
    if len(change.rows) < ENOUGH:
        return None
    pairs = zip(*(side.objects() for side in change.sides), strict=True)
    hits = np.array([_read(x) == _read(y) for x, y in pairs], dtype=bool)
    if change.explains(hits):
        return Cause("dtype-coercion", f"{after} in place of {before}, reading the same, in {change.count(hits)}")
    return None


def _read(cell: object) -> object:
    """Return what a cell reads as: 41 for "41", True for "true" and for 1."""
    text = str(cell).strip().lower()
    if text in ("true", "false"):
        return float(text == "true")
    try:
        return float(text)
    except ValueError:
        return text
