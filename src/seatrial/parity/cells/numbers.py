"""Compare columns of numbers, instants and durations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np

from seatrial.parity.cells.arrays import complexes, floats, integers, measured
from seatrial.parity.cells.difference import SAME, Cells
from seatrial.parity.cells.objects import as_objects, objects
from seatrial.parity.columns import NAT, TICKS, Array, Column
from seatrial.parity.tolerance import Bounds


def numbers(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    """Compare numbers; integers that float64 cannot hold stay integers."""
    e, a = expected.values, actual.values
    if "b" in (e.dtype.kind, a.dtype.kind):  # true and false are not one apart
        bounds = replace(bounds, rtol=0.0, atol=0.0, ulp=None, floor=0.0)
    if e.dtype == a.dtype and e.dtype.kind == "f":
        return floats(e, a, bounds)
    if "f" in (e.dtype.kind, a.dtype.kind):
        if _fits_float64(e, expected.nulls) and _fits_float64(a, actual.nulls):
            return floats(_as_float64(expected), _as_float64(actual), bounds)
        return objects(as_objects(expected), as_objects(actual), bounds)
    if e.dtype != a.dtype:
        e, a = _common_integers(e, a)
        if e is None:
            return objects(as_objects(expected), as_objects(actual), bounds)
    return integers(e, a, bounds, expected.nulls, actual.nulls)


def complex_numbers(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    """Compare complex numbers by the distance between them."""
    return complexes(expected.values, actual.values, bounds)


def _fits_float64(values: Array, nulls: Array | None) -> bool:
    """Whether float64 holds every value exactly."""
    if values.dtype.kind in "fb" or values.dtype.itemsize < 8:
        return True
    present = values if nulls is None else values[~nulls]
    return not len(present) or bool(present.max() <= 2**53 and present.min() >= -(2**53))


def _as_float64(column: Column) -> Array:
    values = column.values.astype(np.float64)
    if column.nulls is not None:
        values[column.nulls] = np.nan
    return cast(Array, values)


def _common_integers(e: Array, a: Array) -> tuple[Any, Any]:
    for values in (e, a):
        if values.dtype == np.uint64 and len(values) and values.max() > np.iinfo(np.int64).max:
            return None, None
    return e.astype(np.int64), a.astype(np.int64)


def ticks(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    """Compare instants or durations in the finer of the two units; differences are in seconds."""
    unit = max(expected.unit, actual.unit, key=TICKS.__getitem__)
    e, lost_e = _in_unit(expected, unit)
    a, lost_a = _in_unit(actual, unit)
    if lost_e or lost_a:  # an instant that nanoseconds cannot reach
        return objects(as_objects(expected), as_objects(actual), bounds)
    unequal = e != a
    if not unequal.any():
        return SAME
    rows = np.flatnonzero(unequal)
    nulls_e, nulls_a = e[rows] == NAT, a[rows] == NAT
    flips, rows = rows[nulls_e | nulls_a], rows[~(nulls_e | nulls_a)]
    if not len(rows):
        return Cells(flips=flips)
    # A relative tolerance of an instant would be relative to 1970.
    bounds = replace(bounds, rtol=bounds.rtol if expected.kind == "span" else 0.0, ulp=None)
    cells = measured(e[rows], a[rows], rows, flips, bounds=bounds, unit=TICKS[unit])
    return cells if expected.kind == "span" else Cells(cells.rows, flips, cells.diff, cells.max_abs, 0.0)


def _in_unit(column: Column, unit: str) -> tuple[Array, bool]:
    """Return the ticks in a finer unit, and whether any overflowed."""
    if column.unit == unit:
        return column.values, False
    factor = TICKS[unit] // TICKS[column.unit]
    present = column.values != NAT
    reach = np.iinfo(np.int64).max // factor
    ticks = column.values[present]
    if len(ticks) and (ticks.max() > reach or ticks.min() < -reach):
        return column.values, True
    return np.where(present, column.values * np.where(present, factor, 1), NAT), False
