"""Name why a column differs, where that can be told.

A cause is one function from a :class:`Change` to a :class:`Cause` or None; the lists at the end name them in
the order in which they are asked. To add one, write the function and put it in a list. It must explain 99 %
of the differing rows and its sentence must not show a cell value, factors and offsets excepted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from seatrial.causes_numbers import (
    affine,
    constant_offset,
    float_round_trip,
    hour_of_day,
    logarithm,
    precision_loss,
    rounding,
    rounding_mode,
    sign_flip,
    unit_factor,
)
from seatrial.causes_text import day_month_swap, list_order, text_form, time_truncation, timezone
from seatrial.cells import compare_columns
from seatrial.change import ENOUGH, Cause, Change
from seatrial.logical import Array, Column, sampled
from seatrial.tolerance import EXACT, bounds

Namer = Callable[[Change], Cause | None]

# What pandas.read_csv takes for missing unless told otherwise, in lower case.
NA_STRINGS = frozenset({"", "#n/a", "#na", "-nan", "<na>", "n/a", "na", "nan", "none", "null"})


def default_fill(change: Change) -> Cause | None:
    """One constant stands where there was null, or where values varied."""
    filled = change.flips[~change.actual.take(change.flips).is_null()]
    if len(filled) < len(change.flips) or len(filled) + len(change.rows) < ENOUGH:
        return None
    became = _codes(change.actual, np.append(change.rows, filled))
    if became is None or not _one(became):
        return None
    if len(filled):
        return Cause("default-fill", f"one constant stands for null in {change.count()}")
    was = _codes(change.expected, change.rows)
    if was is None or _few_values(change.expected):
        return None
    what = "another constant" if _one(was) else "varied values"
    return Cause("default-fill", f"one constant stands for {what} in {change.count()}")


def null_handling(change: Change) -> Cause | None:
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


def dtype_coercion(change: Change) -> Cause | None:
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
    if change.told(hits):
        return Cause("dtype-coercion", f"{after} in place of {before}, reading the same, in {change.count(hits)}")
    return None


def column_swap(change: Change) -> Cause | None:
    """The values of another column."""
    if len(change.rows) < max(ENOUGH, 0.01 * len(change.expected)) or _few_values(change.actual):
        return None
    for name in change.elsewhere.like(change.actual):
        assert change.elsewhere.read is not None
        if name != change.column and _agree(change.elsewhere.read(name, change.sample), change.sides[1]):
            words = f"actual is expected of another column, '{name}'"
            return Cause("column-swap", f"{words}, in {change.count()}")
    return None


def shifted_rows(change: Change) -> Cause | None:
    """The value of the row before or after."""
    if not change.values_tell or _few_values(change.expected):
        return None
    for step, words in ((-1, "before"), (1, "after")):
        at = change.sample + step
        inside = (at >= 0) & (at < len(change.expected))
        moved = change.expected.take(at[inside])
        hits = np.ones(len(at), dtype=bool)
        hits[inside] = _equal_cells(moved, change.actual.take(change.sample[inside]))
        if change.told(hits):
            return Cause("shifted-rows", f"actual is expected of the row {words} in {change.count(hits)}")
    return None


def misaligned_rows(change: Change) -> Cause | None:
    """The right values in the wrong rows, perhaps because they were sorted."""
    if not change.values_tell or len(change.flips) or _few_values(change.expected, 5):
        return None
    both = _joint_codes(change)
    if both is None or not np.array_equal(np.sort(both[0]), np.sort(both[1])):
        return None
    if _is_sorted(change.actual) and not _is_sorted(change.expected):
        return Cause("sorted-rows", f"the values are right but sorted, apart from their keys, in {change.count()}")
    return Cause("misaligned-rows", f"the values are right but in other rows in {change.count()}")


def name_cause(change: Change) -> Cause | None:
    """Return the first cause that explains the change, or None."""
    for namer in ALWAYS:
        if cause := namer(change):
            return cause
    if not change.values_tell:
        return None
    with np.errstate(all="ignore"):
        return next((cause for cause in (namer(change) for namer in ON_VALUES) if cause), None)


def _read(cell: object) -> object:
    """Return what a cell reads as: 41 for "41", True for "true" and for 1."""
    text = str(cell).strip().lower()
    if text in ("true", "false"):
        return float(text == "true")
    try:
        return float(text)
    except ValueError:
        return text


def _codes(side: Column, rows: Array) -> Array | None:
    """Return cells as numbers that are equal where the cells are; None where that is too costly."""
    cells = side.take(rows)
    if cells.kind in ("number", "instant", "span", "category"):
        return np.asarray(cells.values)
    if cells.logical != "string":
        return None
    return np.asarray(pd.factorize(cells.objects())[0])


def _joint_codes(change: Change) -> tuple[Array, Array] | None:
    e, a = change.expected.take(change.rows), change.actual.take(change.rows)
    if e.kind in ("number", "instant", "span") and e.kind == a.kind and e.unit == a.unit:
        return e.values, a.values
    if {e.logical, a.logical} <= {"string", "category[string]"}:
        codes = pd.factorize(np.append(e.objects(), a.objects()))[0]
        return codes[: len(e)], codes[len(e) :]
    return None


def _one(codes: Array) -> bool:
    return bool(np.all(codes == codes[0]))


def _few_values(side: Column, least: int = 3) -> bool:
    """Whether a column has so few values that agreement by chance is likely."""
    codes = _codes(side, sampled(len(side), 8_000))
    return codes is None or len(np.unique(codes)) < least


def _is_sorted(side: Column) -> bool:
    values = pd.Series(side.values if side.kind == "number" else side.objects()).dropna()
    return bool(values.is_monotonic_increasing or values.is_monotonic_decreasing)


def _equal_cells(x: Column, y: Column) -> Array:
    cells = compare_columns(x, y, bounds(EXACT, x.logical, y.logical))
    equal = np.ones(len(x), dtype=bool)
    equal[cells.rows] = equal[cells.flips] = False
    return equal


def _agree(cells: Column, wanted: Column) -> bool:
    alike = cells.kind == wanted.kind and cells.logical == wanted.logical
    return alike and bool(np.mean(_equal_cells(cells, wanted)) >= 0.99)


ALWAYS: list[Namer] = [default_fill, null_handling, dtype_coercion]
ON_VALUES: list[Namer] = [
    precision_loss,
    column_swap,
    sign_flip,
    float_round_trip,
    hour_of_day,
    rounding_mode,
    rounding,
    logarithm,
    unit_factor,
    constant_offset,
    affine,
    day_month_swap,
    timezone,
    time_truncation,
    text_form,
    list_order,
    shifted_rows,
    misaligned_rows,
]
