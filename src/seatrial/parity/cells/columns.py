"""Compare two aligned columns, cell by cell, without per-row Python where a plain array holds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from seatrial.parity.cells.difference import SAME, Cells
from seatrial.parity.cells.numbers import numbers, ticks
from seatrial.parity.cells.objects import as_objects, objects, same
from seatrial.parity.columns import Array, Column, as_large_string, decoded, of_arrow
from seatrial.parity.tolerance import EXACT, NORMALISE, Bounds, Tolerance


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
        return (expected, actual) if same else (as_objects(expected), as_objects(actual))
    if expected.kind == "category":
        return _common(decoded(expected), actual)
    if actual.kind == "category":
        return _common(expected, decoded(actual))
    return as_objects(expected), as_objects(actual)


def _arrow(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    e, a = expected.values, actual.values
    if e.equals(a):
        return SAME
    try:
        equal = pc.equal(e, a)
    except pa.ArrowNotImplementedError:  # structs, maps
        return objects(as_objects(expected), as_objects(actual), bounds)
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
    """Return the codes of ``actual`` in the numbering of ``expected``; None where there is no such numbering."""
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
    "number": numbers,
    "instant": ticks,
    "span": ticks,
    "arrow": _arrow,
    "category": _categories,
    "list": _lists,
    "object": objects,
}
