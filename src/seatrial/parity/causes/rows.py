"""Causes that are about the order of rows and columns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seatrial.parity.causes.change import ENOUGH, Cause, ColumnChange
from seatrial.parity.cells import compare_columns
from seatrial.parity.columns import Array, Column, sampled
from seatrial.parity.tolerance import EXACT, bounds


def column_swap(change: ColumnChange) -> Cause | None:
    """The values of another column."""
    if len(change.rows) < max(ENOUGH, 0.01 * len(change.expected)) or _few_values(change.actual):
        return None
    for name in change.elsewhere.like(change.actual):
        assert change.elsewhere.read is not None
        if name != change.column and _agree(change.elsewhere.read(name, change.sample), change.sides[1]):
            words = f"actual is expected of another column, '{name}'"
            return Cause("column-swap", f"{words}, in {change.count()}")
    return None


def shifted_rows(change: ColumnChange) -> Cause | None:
    """The value of the row before or after."""
    if not change.values_tell or _few_values(change.expected):
        return None
    for step, words in ((-1, "before"), (1, "after")):
        at = change.sample + step
        inside = (at >= 0) & (at < len(change.expected))
        moved = change.expected.take(at[inside])
        hits = np.ones(len(at), dtype=bool)
        hits[inside] = _equal_cells(moved, change.actual.take(change.sample[inside]))
        if change.explains(hits):
            return Cause("shifted-rows", f"actual is expected of the row {words} in {change.count(hits)}")
    return None


def misaligned_rows(change: ColumnChange) -> Cause | None:
    """The right values in the wrong rows, perhaps because they were sorted."""
    if not change.values_tell or len(change.flips) or _few_values(change.expected, 5):
        return None
    both = _joint_codes(change)
    if both is None or not np.array_equal(np.sort(both[0]), np.sort(both[1])):
        return None
    if _is_sorted(change.actual) and not _is_sorted(change.expected):
        return Cause("sorted-rows", f"the values are right but sorted, apart from their keys, in {change.count()}")
    return Cause("misaligned-rows", f"the values are right but in other rows in {change.count()}")


def _codes(side: Column, rows: Array) -> Array | None:
    """Return cells as numbers that are equal where the cells are; None where that is too costly."""
    cells = side.take(rows)
    if cells.kind in ("number", "instant", "span", "category"):
        return np.asarray(cells.values)
    if cells.logical != "string":
        return None
    return np.asarray(pd.factorize(cells.objects())[0])


def _joint_codes(change: ColumnChange) -> tuple[Array, Array] | None:
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
