"""Compare numbers, instants and durations.

Bits first: equal bits are equal cells, and comparing them costs one pass over memory. Only where bits differ
are null, -0.0, NaN and the tolerance looked at.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from seatrial.parity.cells.difference import NONE, SAME, Cells
from seatrial.parity.cells.objects import as_objects, objects
from seatrial.parity.columns import NAT, TICKS, Array, Column
from seatrial.parity.tolerance import Bounds

BLOCK = 16_384  # rows; two blocks of float64 and their masks stay in the second-level cache


def numbers(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    """Compare numbers; integers that float64 cannot hold stay integers."""
    e, a = expected.values, actual.values
    if e.dtype == a.dtype and e.dtype.kind == "f":
        return _floats(e, a, bounds)
    if "f" in (e.dtype.kind, a.dtype.kind):
        if _fits_float64(e, expected.nulls) and _fits_float64(a, actual.nulls):
            return _floats(_as_float64(expected), _as_float64(actual), bounds)
        return objects(as_objects(expected), as_objects(actual), bounds)
    if e.dtype != a.dtype:
        e, a = _common_integers(e, a)
        if e is None:
            return objects(as_objects(expected), as_objects(actual), bounds)
    return _integers(e, a, expected.nulls, actual.nulls, bounds)


def _floats(e: Array, a: Array, bounds: Bounds) -> Cells:
    bits = f"i{e.dtype.itemsize}"
    unequal = e.view(bits) != a.view(bits)
    count = int(np.count_nonzero(unequal))
    if not count:
        return SAME
    if count * 8 < len(e):
        rows = np.flatnonzero(unequal)
        return _gathered([_judge(e[rows], a[rows], rows, bounds)])
    # Most cells differ in their bits: straight through, in blocks, without 8 bytes of index per cell.
    starts = range(0, len(e), BLOCK)
    return _gathered([_judge(e[s : s + BLOCK], a[s : s + BLOCK], s, bounds) for s in starts])


def _judge(e: Array, a: Array, where: Array | int, bounds: Bounds) -> Cells:
    """Compare floats cell by cell; ``where`` is their positions, or the position of the first."""
    with np.errstate(all="ignore"):
        x, y = e.astype(np.float64, copy=False), a.astype(np.float64, copy=False)
        diff = y - x
        size = np.abs(diff)
        scale = np.abs(x)
        limit = scale * bounds.rtol
        limit += bounds.atol
        differs = size > limit
        # inf - inf is NaN although equal, and inf <= inf although inf is not -inf: look at those again
        odd = np.flatnonzero(~np.isfinite(diff))
        if len(odd):
            differs[odd] = x[odd] != y[odd]
            size[odd[x[odd] == y[odd]]] = 0.0
        if bounds.ulp is not None:
            differs &= ~_within_ulp(e, a, bounds.ulp)
        at = np.flatnonzero(differs)
        nulls_e, nulls_a = np.isnan(x[at]), np.isnan(y[at])
        rows, flips = at[~(nulls_e | nulls_a)], at[nulls_e != nulls_a]
        max_abs = float(np.fmax.reduce(size, initial=0.0))
        size /= scale
        max_rel = float(np.fmax.reduce(size, initial=0.0)) if max_abs < np.inf else np.inf
    positions = (lambda i: i + where) if isinstance(where, int) else (lambda i: where[i])
    return Cells(positions(rows), positions(flips), diff[rows], max_abs, max_rel)


def _gathered(parts: list[Cells]) -> Cells:
    if len(parts) == 1:
        return parts[0]
    return Cells(
        rows=np.concatenate([part.rows for part in parts]),
        flips=np.concatenate([part.flips for part in parts]),
        diff=np.concatenate([cast(Array, part.diff) for part in parts]),
        max_abs=max(part.max_abs for part in parts),
        max_rel=max(part.max_rel for part in parts),
    )


def _within_ulp(e: Array, a: Array, ulp: int) -> Array:
    """Whether at most ``ulp`` representable numbers lie between, counted on the number line through zero."""
    bits = f"i{e.dtype.itemsize}"
    x, y = _on_a_line(e.view(bits)), _on_a_line(a.view(bits))
    finite = np.isfinite(e) & np.isfinite(a)
    return cast(Array, finite & (_distance(x, y) <= np.uint64(ulp)))


def _on_a_line(bits: Array) -> Array:
    least = np.iinfo(bits.dtype).min
    return np.where(bits < 0, least - bits, bits).astype(np.int64)


def _distance(x: Array, y: Array) -> Array:
    """Return |x - y| of 64-bit integers as uint64, exact over the whole range."""
    high, low = np.maximum(x, y), np.minimum(x, y)
    return high.view(np.uint64) - low.view(np.uint64)


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


def _integers(e: Array, a: Array, nulls_e: Array | None, nulls_a: Array | None, bounds: Bounds) -> Cells:
    unequal = e != a
    flips = NONE
    if nulls_e is None and nulls_a is None and not unequal.any():
        return SAME
    if nulls_e is not None or nulls_a is not None:
        no = np.zeros(len(e), dtype=bool)
        nulls_e, nulls_a = no if nulls_e is None else nulls_e, no if nulls_a is None else nulls_a
        flips = np.flatnonzero(nulls_e != nulls_a)
        unequal &= ~(nulls_e | nulls_a)
    rows = np.flatnonzero(unequal)
    if not len(rows):
        return Cells(flips=flips)
    return _measured(e[rows], a[rows], rows, flips, bounds=bounds, unit=1)


def _measured(e: Array, a: Array, rows: Array, flips: Array, *, bounds: Bounds, unit: int) -> Cells:
    """Compare unequal integers; distances are taken exactly, then stated as float64, ``unit`` being 1."""
    wide = np.uint64 if e.dtype == np.uint64 else np.int64
    e, a = e.astype(wide, copy=False), a.astype(wide, copy=False)
    size = _distance(e, a).astype(np.float64) / unit
    scale = np.abs(e.astype(np.float64)) / unit
    diff = np.where(a > e, size, -size)
    with np.errstate(all="ignore"):
        max_rel = float((size / scale).max())
    max_abs = float(size.max())
    if not bounds.exact:
        beyond = size > bounds.atol + bounds.rtol * scale
        rows, diff = rows[beyond], diff[beyond]
    return Cells(rows, flips, diff, max_abs, max_rel)


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
    rtol = bounds.rtol if expected.kind == "span" else 0.0
    bounds = Bounds(rtol, bounds.atol, None)
    cells = _measured(e[rows], a[rows], rows, flips, bounds=bounds, unit=TICKS[unit])
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
