"""Compare two aligned columns, cell by cell, without per-row Python where a plain array holds them.

Bits first: equal bits are equal cells, and comparing them costs one pass over memory. Only where bits differ
are null, -0.0, NaN and the tolerance looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from seatrial.logical import NAT, TICKS, Array, Column, as_large_string, decoded, of_arrow
from seatrial.tolerance import EXACT, NORMALISE, Bounds, Tolerance

BLOCK = 16_384  # rows; two blocks of float64 and their masks stay in the second-level cache
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Cells:
    """Where two columns differ.

    ``rows`` are the positions (ascending) at which both have a value and the values differ, ``flips`` those
    at which exactly one is null. ``diff`` is the signed difference actual - expected of ``rows``, in the
    column's unit (seconds for instants), None where cells cannot be subtracted. The maxima are over all
    cells, also those within the tolerance.
    """

    rows: Array = field(default_factory=lambda: _NONE)
    flips: Array = field(default_factory=lambda: _NONE)
    diff: Array | None = None
    max_abs: float = 0.0
    max_rel: float = 0.0


SAME = Cells()


def compare_columns(expected: Column, actual: Column, bounds: Bounds, tolerance: Tolerance = EXACT) -> Cells:
    """Return where two columns of equal length differ."""
    expected, actual = _common(expected, actual)
    cells = _KERNELS[expected.kind](expected, actual, bounds)
    if not len(cells.rows):
        return cells
    if tolerance.text != "exact" and expected.kind in ("arrow", "object", "category"):
        return _forgive(cells, expected, actual, _text_key(tolerance.text))
    if tolerance.as_set and expected.kind in ("list", "object"):
        return _forgive(cells, expected, actual, _set_key)
    return cells


def _common(expected: Column, actual: Column) -> tuple[Column, Column]:
    """Bring two columns to one kind, by a cast that loses nothing."""
    if expected.kind == actual.kind:
        if expected.kind == "arrow" and expected.logical == actual.logical == "string":
            return as_large_string(expected), as_large_string(actual)
        same = expected.kind != "arrow" or expected.values.type == actual.values.type
        return (expected, actual) if same else (_as_objects(expected), _as_objects(actual))
    if expected.kind == "category":
        return _common(decoded(expected), actual)
    if actual.kind == "category":
        return _common(expected, decoded(actual))
    return _as_objects(expected), _as_objects(actual)


def _as_objects(column: Column) -> Column:
    return Column("object", column.logical, column.objects())


# --- numbers -----------------------------------------------------------------------------------------


def _numbers(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    e, a = expected.values, actual.values
    if e.dtype == a.dtype and e.dtype.kind == "f":
        return _floats(e, a, bounds)
    if "f" in (e.dtype.kind, a.dtype.kind):
        if _fits_float64(e, expected.nulls) and _fits_float64(a, actual.nulls):
            return _floats(_as_float64(expected), _as_float64(actual), bounds)
        return _objects(_as_objects(expected), _as_objects(actual), bounds)
    if e.dtype != a.dtype:
        e, a = _common_integers(e, a)
        if e is None:
            return _objects(_as_objects(expected), _as_objects(actual), bounds)
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
    flips = _NONE
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
    """Judge unequal integers; distances are taken exactly, then stated as float64, ``unit`` being 1."""
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


# --- instants and durations --------------------------------------------------------------------------


def _ticks(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    unit = max(expected.unit, actual.unit, key=TICKS.__getitem__)
    e, lost_e = _in_unit(expected, unit)
    a, lost_a = _in_unit(actual, unit)
    if lost_e or lost_a:  # an instant that nanoseconds cannot reach
        return _objects(_as_objects(expected), _as_objects(actual), bounds)
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


# --- everything else ---------------------------------------------------------------------------------


def _arrow(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    e, a = expected.values, actual.values
    if e.equals(a):
        return SAME
    try:
        equal = pc.equal(e, a)
    except pa.ArrowNotImplementedError:  # structs, maps
        return _objects(_as_objects(expected), _as_objects(actual), bounds)
    rows = np.flatnonzero(~pc.fill_null(equal, True).to_numpy(zero_copy_only=False))
    if not (e.null_count or a.null_count):
        return Cells(rows)
    return Cells(rows, np.flatnonzero(expected.is_null() != actual.is_null()))


def _categories(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    e, a = expected.values, _recoded(expected, actual)
    if a is None:
        return compare_columns(decoded(expected), decoded(actual), bounds)
    unequal = e != a
    if not unequal.any():
        return SAME
    rows = np.flatnonzero(unequal)
    flipped = (e[rows] < 0) | (a[rows] < 0)
    return Cells(rows[~flipped], rows[flipped])


def _recoded(expected: Column, actual: Column) -> Array | None:
    """Return the codes of ``actual`` in the numbering of ``expected``; None where that cannot be told."""
    known, other = expected.categories, actual.categories
    assert known is not None
    assert other is not None
    if known.kind != other.kind or known.logical != other.logical:
        return None
    if len(known) == len(other) and not len(_KERNELS[known.kind](known, other, Bounds(0, 0, None)).rows):
        return cast(Array, actual.values)
    numbering = pd.Index(known.objects(), dtype=object).get_indexer(pd.Index(other.objects(), dtype=object))
    strange = np.flatnonzero(numbering < 0)
    numbering[strange] = len(known) + np.arange(len(strange))
    return cast(Array, np.append(numbering, -1)[actual.values])  # code -1 reads the last entry


def _lists(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    e, a = expected.values, actual.values
    null_e, null_a = expected.is_null(), actual.is_null()
    flips = np.flatnonzero(null_e != null_a)
    sizes, others = _lengths(e), _lengths(a)
    comparable = ~(null_e | null_a) & (sizes == others)
    longer = np.flatnonzero(~(null_e | null_a) & (sizes != others))
    kept = np.flatnonzero(comparable)
    if len(kept) < len(e):
        e, a = e.take(pa.array(kept)), a.take(pa.array(kept))
    inner = compare_columns(of_arrow(e.flatten()), of_arrow(a.flatten()), bounds)
    ends = np.cumsum(sizes[kept])
    inside = kept[np.unique(np.searchsorted(ends, np.append(inner.rows, inner.flips), side="right"))]
    return Cells(np.union1d(longer, inside), flips, None, inner.max_abs, inner.max_rel)


def _lengths(lists: Any) -> Array:
    return cast(Array, pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False))


def _objects(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    null_e, null_a = expected.is_null(), actual.is_null()
    e, a = expected.values, actual.values
    both = np.flatnonzero(~(null_e | null_a))
    differs = [not same(x, y) for x, y in zip(e[both], a[both], strict=True)]
    rows = both[np.asarray(differs, dtype=bool)]
    cells = Cells(rows, np.flatnonzero(null_e != null_a))
    return cells if not len(rows) else _subtracted(cells, e, a, bounds)


def _subtracted(cells: Cells, e: Array, a: Array, bounds: Bounds) -> Cells:
    """Add the differences where every differing cell is a number, exact in Python before it is a float."""
    pairs = list(zip(e[cells.rows], a[cells.rows], strict=True))
    if not all(type(value) in (int, float) for pair in pairs for value in pair):
        return cells
    diff = np.array([_minus(y, x) for x, y in pairs])
    scale = np.abs(e[cells.rows].astype(np.float64))
    size = np.abs(diff)
    with np.errstate(all="ignore"):
        max_rel = float(np.fmax.reduce(size / scale, initial=0.0))
    max_abs = float(size.max())
    if not bounds.exact:
        beyond = ~(size <= bounds.atol + bounds.rtol * scale) | ~np.isfinite(size)
        return Cells(cells.rows[beyond], cells.flips, diff[beyond], max_abs, max_rel)
    return Cells(cells.rows, cells.flips, diff, max_abs, max_rel)


def _minus(y: Any, x: Any) -> float:
    from fractions import Fraction

    try:
        return float(Fraction(y) - Fraction(x))
    except (OverflowError, ValueError):  # an infinity
        return float(y) - float(x)


def same(x: Any, y: Any) -> bool:
    """Whether two Python cells are the same value: a bool is no number, NaN is NaN, order counts in lists."""
    if x is y:
        return True
    try:
        return _same(x, y)
    except Exception:  # noqa: BLE001 - a cell whose own comparison raises cannot be called the same
        return False


def _same(x: Any, y: Any) -> bool:
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(same(x[name], y[name]) for name in x)
    if isinstance(x, (list, tuple, np.ndarray)) and isinstance(y, (list, tuple, np.ndarray)):
        return len(x) == len(y) and all(same(p, q) for p, q in zip(x, y, strict=True))
    if isinstance(x, (bool, np.bool_)) != isinstance(y, (bool, np.bool_)):
        return False
    if x != x and y != y:  # noqa: PLR0124 - NaN is the value that is not itself
        return True
    return bool(x == y)


def _forgive(cells: Cells, expected: Column, actual: Column, key: Callable[[Any], Any]) -> Cells:
    """Drop the differing rows whose cells have the same key."""
    e, a = expected.take(cells.rows).objects(), actual.take(cells.rows).objects()
    kept = np.array([not same(key(x), key(y)) for x, y in zip(e, a, strict=True)], dtype=bool)
    return Cells(cells.rows[kept], cells.flips)


def _text_key(text: str) -> Callable[[Any], Any]:
    normalised = NORMALISE[text]
    return lambda cell: normalised(cell) if isinstance(cell, str) else cell


def _set_key(cell: Any) -> Any:
    return {_hashable(item) for item in cell} if isinstance(cell, (list, tuple, set, np.ndarray)) else cell


def _hashable(item: Any) -> Any:
    if isinstance(item, (list, tuple, np.ndarray)):
        return tuple(_hashable(part) for part in item)
    if isinstance(item, dict):
        return frozenset((name, _hashable(part)) for name, part in item.items())
    # True == 1 and hashes alike; a NaN is only equal to itself when it is one object
    return None if item != item else (isinstance(item, (bool, np.bool_)), item)  # noqa: PLR0124


_KERNELS: dict[str, Callable[[Column, Column, Bounds], Cells]] = {
    "number": _numbers,
    "instant": _ticks,
    "span": _ticks,
    "arrow": _arrow,
    "category": _categories,
    "list": _lists,
    "object": _objects,
}
