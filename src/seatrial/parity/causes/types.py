"""Causes that are about types and nulls."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from seatrial.parity.causes.change import ENOUGH, Cause, ColumnChange
from seatrial.parity.causes.rows import codes, few_values
from seatrial.parity.causes.text import as_number
from seatrial.parity.columns import Array

# What pandas.read_csv reads as missing by default, in lower case.
NA_STRINGS = frozenset({"", "#n/a", "#na", "-nan", "<na>", "n/a", "na", "nan", "none", "null"})


def default_fill(change: ColumnChange) -> Cause | None:
    """One constant replaces null, or values that varied."""
    filled = change.flips[~change.actual.take(change.flips).is_null()]
    if len(filled) < len(change.flips) or len(filled) + len(change.rows) < ENOUGH:
        return None
    became = codes(change.actual, np.append(change.rows, filled))
    if became is None or not _one(became):
        return None
    if len(filled):
        return change.cause("default-fill", "one constant replaces null")
    was = codes(change.expected, change.rows)
    if was is None or few_values(change.expected):
        return None
    what = "another constant" if _one(was) else "varied values"
    return change.cause("default-fill", f"one constant replaces {what}")


def _one(cells: Array) -> bool:
    return bool(np.all(cells == cells[0]))


def null_handling(change: ColumnChange) -> Cause | None:
    """Values became null, or nulls became values."""
    differing = len(change.flips) + len(change.rows)
    lost = change.flips[change.actual.take(change.flips).is_null()]
    if len(change.flips) < ENOUGH or len(change.flips) < 0.99 * differing:
        return None
    if not len(lost):
        return change.cause("null-handling", "null became values")
    if len(lost) < 0.99 * differing:
        return None
    was = change.expected.take(lost[:1000]).objects()
    if all(isinstance(cell, str) and cell.strip().lower() in NA_STRINGS for cell in was):
        return change.cause("null-handling", "text that reads as missing (NA and its like) is null")
    return change.cause("null-handling", "values became null")


def dtype_coercion(change: ColumnChange) -> Cause | None:
    """Numbers or booleans as text, or text as numbers; or another type with the same values."""
    before, after = change.expected.logical, change.actual.logical
    if before == after:
        return None
    other = f"{after} in place of {before}"
    if not len(change.rows) and not len(change.flips):
        return Cause("dtype-coercion", f"{other}; every value is equal", f"{other}; every value is equal")
    return _reads_the_same(change, other) if len(change.rows) >= ENOUGH else None


def _reads_the_same(change: ColumnChange, other: str) -> Cause | None:
    pairs = list(zip(*(side.objects() for side in change.sides), strict=True))
    read = np.array([_read(x) == _read(y) for x, y in pairs], dtype=bool)
    if not change.explains(read):
        return None
    if (zeros := _counted(pairs, _lost_zeros)) is not None:
        return change.cause("dtype-coercion", f"{other}, the same numbers without their leading zeros,", zeros)
    if (digits := _counted(pairs, _lost_digits)) is not None:
        return change.cause("dtype-coercion", f"{other}, with digits lost beyond the precision of a float,", digits)
    return change.cause("dtype-coercion", f"{other}, reading the same,", read)


def _counted(pairs: list[tuple[object, object]], lost: Callable[[str, str], bool]) -> Array | None:
    hits = np.array([lost(str(x).strip(), str(y).strip()) for x, y in pairs], dtype=bool)
    return hits if hits.any() else None


def _lost_zeros(x: str, y: str) -> bool:
    return bool(_ZEROS.match(x)) != bool(_ZEROS.match(y))


_ZEROS = re.compile(r"[+-]?0\d")


def _lost_digits(x: str, y: str) -> bool:
    """Whether two texts read as the same float and are not the same number."""
    return as_number(x) != as_number(y) and x.lower() != y.lower() and "true" not in x.lower() + y.lower()


def _read(cell: object) -> object:
    """Return what a cell reads as: 41 for "41", True for "true" and for 1."""
    text = str(cell).strip().lower()
    if text in ("true", "false"):
        return float(text == "true")
    try:
        return float(text)
    except ValueError:
        return text
