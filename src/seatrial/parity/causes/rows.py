"""Causes that are about the order of rows and columns. Each must hold in the whole column."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seatrial.parity.causes.change import ENOUGH, Cause, ColumnChange
from seatrial.parity.cells import compare_columns
from seatrial.parity.columns import Array, Column, sampled
from seatrial.parity.tolerance import EXACT, bounds


def column_swap(change: ColumnChange) -> Cause | None:
    """The values of another column."""
    if len(change.rows) < max(ENOUGH, 0.01 * len(change.expected)) or few_values(change.actual):
        return None
    for name in change.elsewhere.like(change.actual):
        assert change.elsewhere.read is not None
        if name == change.column:
            continue
        cells, wanted = change.elsewhere.read(name, change.looked), change.actual.take(change.looked)
        if (cells.kind, cells.logical) != (wanted.kind, wanted.logical):
            continue
        hits = equal_cells(cells, wanted)
        if change.holds(hits):
            return change.cause("column-swap", f"actual is expected of another column, '{name}',")
    return None


def shifted_rows(change: ColumnChange) -> Cause | None:
    """The value of the row before or after."""
    if not change.values_tell or few_values(change.expected):
        return None
    for step, words in ((-1, "before"), (1, "after")):
        at = change.looked + step
        inside = (at >= 0) & (at < len(change.expected))
        hits = np.ones(len(at), dtype=bool)
        hits[inside] = equal_cells(change.expected.take(at[inside]), change.actual.take(change.looked[inside]))
        if change.holds(hits):
            return change.cause("shifted-rows", f"actual is expected of the row {words}", hits)
    return None


def misaligned_rows(change: ColumnChange) -> Cause | None:
    """The right values in the wrong rows, perhaps because they were sorted."""
    if not change.values_tell or len(change.flips) or few_values(change.expected, 5):
        return None
    both = joint_codes(change, change.rows)
    if both is None or not np.array_equal(np.sort(both[0]), np.sort(both[1])):
        return None
    if _is_sorted(change.actual) and not _is_sorted(change.expected):
        return change.cause("sorted-rows", "the values are right but sorted, apart from their keys,")
    return change.cause("misaligned-rows", "the values are right but in other rows")


def codes(side: Column, rows: Array) -> Array | None:
    """Return cells as numbers that are equal where the cells are; None where that is too costly."""
    cells = side.take(rows)
    if cells.kind in ("number", "instant", "span", "category"):
        return np.asarray(cells.values)
    if cells.logical != "string":
        return None
    return np.asarray(pd.factorize(cells.objects())[0])


def joint_codes(change: ColumnChange, rows: Array) -> tuple[Array, Array] | None:
    """Return both sides at the rows as numbers that are equal where the cells are; None where that is too costly."""
    e, a = change.expected.take(rows), change.actual.take(rows)
    if e.kind in ("number", "instant", "span") and e.kind == a.kind and e.unit == a.unit:
        return e.values, a.values
    if {e.logical, a.logical} <= {"string", "category[string]"}:
        both = pd.factorize(np.append(e.objects(), a.objects()))[0]
        return both[: len(e)], both[len(e) :]
    return None


def few_values(side: Column, least: int = 3) -> bool:
    """Whether a column has so few values that agreement by chance is likely."""
    found = codes(side, sampled(len(side), 8_000))
    return found is None or len(np.unique(found)) < least


def equal_cells(x: Column, y: Column) -> Array:
    """Return in which rows two columns are equal, within the default tolerance of their type."""
    cells = compare_columns(x, y, bounds(EXACT, x.logical, y.logical))
    equal = np.ones(len(x), dtype=bool)
    equal[cells.rows] = equal[cells.flips] = False
    return equal


def _is_sorted(side: Column) -> bool:
    values = pd.Series(side.values if side.kind == "number" else side.objects()).dropna()
    return bool(values.is_monotonic_increasing or values.is_monotonic_decreasing)
