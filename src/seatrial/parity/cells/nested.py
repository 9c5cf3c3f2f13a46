"""Compare cells that hold other cells, on Arrow's child arrays: lists, structs, maps.

A child is compared as a column of its own, with the bounds of its own type. Inside a cell a null is no NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seatrial.parity.cells.difference import NONE, Cells, Place, place_of
from seatrial.parity.cells.rules import written
from seatrial.parity.columns import Array, Column, bools, of_arrow
from seatrial.parity.tolerance import IDENTICAL, Bounds
from seatrial.parity.tolerance import bounds as bounds_of

Compare = Callable[[Column, Column, Bounds], Cells]
Source = Callable[[], Any] | None


def lists(expected: Column, actual: Column, bounds: Bounds, compare: Compare) -> Cells:
    """Compare lists of equal length item by item; another length is another list."""
    e, a = expected.values, actual.values
    null_e, null_a = expected.is_null(), actual.is_null()
    nulls = null_e | null_a
    sizes, others = _lengths(e), _lengths(a)
    longer = np.flatnonzero(~nulls & (sizes != others))
    kept = np.flatnonzero(~nulls & (sizes == others))
    if len(kept) < len(e):
        e, a, sizes = e.take(pa.array(kept)), a.take(pa.array(kept)), sizes[kept]
    inner = _inside(e.flatten(), a.flatten(), bounds, compare, _items(bounds.source))
    flips = np.flatnonzero(null_e != null_a)
    if not (len(inner.rows) or len(inner.flips)):
        worst = Place(int(longer[0]), "", np.inf) if len(longer) else None
        return Cells(longer, flips, None, inner.max_abs, inner.max_rel, worst)
    ends = np.cumsum(sizes)

    def row_of(flat: Any) -> Any:
        return np.searchsorted(ends, flat, side="right")

    found = cast(Place, place_of(inner))
    at = int(row_of(found.row))
    step = found.row - int(ends[at] - sizes[at])
    worst = Place(int(kept[at]), written((step,)) + found.path, found.size)
    inside = kept[np.unique(row_of(np.append(inner.rows, inner.flips)))]
    return Cells(np.union1d(longer, inside), flips, None, inner.max_abs, inner.max_rel, worst)


def structs(expected: Column, actual: Column, bounds: Bounds, compare: Compare) -> Cells:
    """Compare structs field by field, by name; a field that one side lacks differs in every row."""
    null_e, null_a = expected.is_null(), actual.is_null()
    both = ~(null_e | null_a)
    rows: Array = NONE
    max_abs = max_rel = 0.0
    worst: Place | None = None
    e, a = _fields(expected), _fields(actual)
    for name in [*e, *(n for n in a if n not in e)]:
        if name in e and name in a:
            inner = _inside(e[name], a[name], bounds, compare, _field(bounds.source, name))
        else:
            inner = Cells(np.flatnonzero(both))
        found = np.union1d(inner.rows, inner.flips).astype(np.int64)
        found = found[both[found]]
        max_abs, max_rel = max(max_abs, inner.max_abs), max(max_rel, inner.max_rel)
        if not len(found):
            continue
        place = cast(Place, place_of(inner))
        if worst is None or place.size > worst.size:
            row = place.row if both[place.row] else int(found[0])
            worst = Place(row, written((name,)) + place.path, place.size)
        rows = np.union1d(rows, found)
    return Cells(rows, np.flatnonzero(null_e != null_a), None, max_abs, max_rel, worst)


def maps(expected: Column, actual: Column, bounds: Bounds, compare: Compare, by_name: Compare) -> Cells:
    """Compare maps: rows whose names come in one order at once, the others by name."""
    keys_e, items_e = _parts(expected.values)
    keys_a, items_a = _parts(actual.values)
    null_e, null_a = expected.is_null(), actual.is_null()
    named = lists(of_arrow(keys_e), of_arrow(keys_a), bounds_of(IDENTICAL, "", ""), compare)
    items = lists(of_arrow(items_e), of_arrow(items_a), bounds.of("", "", None), compare)
    if not len(named.rows):
        return items
    others = by_name(expected.take(named.rows), actual.take(named.rows), bounds)
    rows = np.setdiff1d(items.rows, named.rows)
    worst = items.worst if items.worst is not None and items.worst.row in rows else None
    if worst is None and others.worst is not None:
        worst = Place(int(named.rows[others.worst.row]), others.worst.path, others.worst.size)
    rows, flips = np.union1d(rows, named.rows[others.rows]), np.flatnonzero(null_e != null_a)
    max_abs, max_rel = max(items.max_abs, others.max_abs), max(items.max_rel, others.max_rel)
    return Cells(rows.astype(np.int64), flips, None, max_abs, max_rel, worst)


def _inside(e: Any, a: Any, bounds: Bounds, compare: Compare, source: Source) -> Cells:
    x, y = of_arrow(e), of_arrow(a)
    cells = compare(x, y, bounds.of(x.logical, y.logical, source))
    if not (e.null_count or a.null_count):
        return cells
    odd = np.flatnonzero(bools(e.is_null()) != bools(a.is_null()))
    return Cells(
        cells.rows, np.union1d(cells.flips, odd).astype(np.int64), cells.diff, cells.max_abs, cells.max_rel, cells.worst
    )


def _items(source: Source) -> Source:
    def items() -> Any:
        column: Any = source() if source else None
        return of_arrow(column.values.flatten()) if getattr(column, "kind", "") == "list" else None

    return items if source else None


def _field(source: Source, name: str) -> Source:
    def field() -> Any:
        column = source() if source else None
        fields = _fields(column) if column is not None and column.kind == "struct" else {}
        return of_arrow(fields[name]) if name in fields else None

    return field if source else None


def _fields(column: Column) -> dict[str, Any]:
    names = [field.name for field in column.values.type]
    return dict(zip(names, column.values.flatten(), strict=True))


def _parts(values: Any) -> tuple[Any, Any]:
    """Return the names and the items of maps as lists; a null map is a null list."""
    values = pa.concat_arrays([values]) if values.offset else values
    starts = values.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    nulls = np.append(bools(values.is_null()), False)
    offsets = pa.array(starts, pa.int64(), mask=nulls)
    keys, items = (pa.LargeListArray.from_arrays(offsets, part) for part in (values.keys, values.items))
    return keys, items


def _lengths(lists: Any) -> Array:
    return cast(Array, pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False))
