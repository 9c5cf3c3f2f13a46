"""Compare arrays of numbers.

Bits first: equal bits are equal cells, and comparing them costs one pass over memory. Only where bits differ
are null, -0.0, NaN and the tolerance looked at.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from seatrial.parity.cells.difference import NONE, SAME, Cells
from seatrial.parity.columns import Array
from seatrial.parity.tolerance import Bounds

BLOCK = 16_384  # rows; two blocks of float64 and their masks stay in the second-level cache
_NO_DIFF = np.empty(0)


def floats(e: Array, a: Array, bounds: Bounds) -> Cells:
    """Compare floats of one type; a NaN on one side is a null there."""
    bits = f"i{e.dtype.itemsize}"
    unequal = e.view(bits) != a.view(bits)
    count = int(np.count_nonzero(unequal))
    if not count:
        return SAME
    if count * 8 < len(e):
        rows = np.flatnonzero(unequal)
        return _above_floor(_judge(e[rows], a[rows], rows, bounds), e, bounds)
    # Most cells differ in their bits: straight through, in blocks, without 8 bytes of index per cell.
    blocks = (slice(start, start + BLOCK) for start in range(0, len(e), BLOCK))
    parts = [_near(e[b], a[b], bounds) or _judge(e[b], a[b], b.start, bounds) for b in blocks]
    return _above_floor(_gathered(parts), e, bounds)


def _near(e: Array, a: Array, bounds: Bounds) -> Cells | None:
    """Return the maxima where all cells are clearly within ``rtol``, told without leaving their own precision."""
    with np.errstate(all="ignore"):
        size = np.abs(a - e)
        max_abs = float(size.max())
        size /= np.abs(e)
        max_rel = float(size.max())
    return Cells(diff=_NO_DIFF, max_abs=max_abs, max_rel=max_rel) if max_rel < 0.999 * bounds.rtol else None


def _above_floor(cells: Cells, e: Array, bounds: Bounds) -> Cells:
    """Drop the rows that differ by no more than the column's scale allows; it is taken only where any differ."""
    if not bounds.floor or not len(cells.rows):
        return cells
    diff = cast(Array, cells.diff)
    with np.errstate(all="ignore"):
        limit = np.abs(e[cells.rows].astype(np.float64)) * bounds.rtol + (bounds.atol + bounds.least(e))
        beyond = ~(np.abs(diff) <= limit) | np.isinf(diff)
    return replace(cells, rows=cells.rows[beyond], diff=diff[beyond])


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
            differs &= ~within_ulp(e, a, bounds.ulp)
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


def within_ulp(e: Array, a: Array, ulp: int) -> Array:
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


def complexes(e: Array, a: Array, bounds: Bounds) -> Cells:
    """Compare complex numbers by the distance between them."""
    rows = np.flatnonzero(e != a)  # a NaN is not itself
    if not len(rows):
        return SAME
    x, y = e[rows].astype(np.complex128), a[rows].astype(np.complex128)
    nulls_e, nulls_a = np.isnan(x), np.isnan(y)
    with np.errstate(all="ignore"):
        size = np.abs(y - x)
        limit = np.abs(x) * bounds.rtol + bounds.atol
        beyond = ~(size <= limit) | np.isinf(size)
        if bounds.floor and (beyond & ~nulls_e & ~nulls_a).any():
            beyond = ~(size <= limit + bounds.least(e)) | np.isinf(size)
        max_rel = float(np.fmax.reduce(size / np.abs(x), initial=0.0))
    beyond &= ~(nulls_e | nulls_a)
    max_abs = float(np.fmax.reduce(size, initial=0.0))
    return Cells(rows[beyond], rows[nulls_e != nulls_a], None, max_abs, max_rel)


def integers(e: Array, a: Array, bounds: Bounds, nulls_e: Array | None = None, nulls_a: Array | None = None) -> Cells:
    """Compare integers or booleans of one type."""
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
    return measured(e[rows], a[rows], rows, flips, bounds=bounds, unit=1)


def measured(e: Array, a: Array, rows: Array, flips: Array, *, bounds: Bounds, unit: int) -> Cells:
    """Compare unequal integers at ``rows``; distances are taken exactly, then stated as float64, ``unit`` being 1."""
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
