"""Compare two aligned columns, cell by cell, without per-row Python where a plain array holds them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from seatrial.parity.cells.difference import SAME, Cells
from seatrial.parity.cells.nested import lists, maps, structs
from seatrial.parity.cells.numbers import complex_numbers, numbers, ticks
from seatrial.parity.cells.objects import as_objects, objects, second_look
from seatrial.parity.cells.rules import Rule
from seatrial.parity.columns import Array, Column, as_large_string, decoded
from seatrial.parity.logical import plainly
from seatrial.parity.tolerance import IDENTICAL, Bounds, bounds


def compare_columns(expected: Column, actual: Column, limits: Bounds) -> Cells:
    """Return where two columns of equal length differ."""
    expected, actual = _common(expected, actual)
    cells = _KERNELS[expected.kind](expected, actual, limits)
    if limits.tolerance.as_set and len(cells.rows) and expected.kind == "list":
        return second_look(cells, expected, actual, Rule(limits.tolerance, limits.noise), limits.source)
    return cells


def _common(expected: Column, actual: Column) -> tuple[Column, Column]:  # noqa: PLR0911 - one return a kind
    """Bring two columns to one kind, by a cast that loses nothing."""
    if expected.kind == actual.kind:
        if expected.kind == "arrow" and expected.logical == actual.logical == "string":
            return as_large_string(expected), as_large_string(actual)
        if expected.kind != "arrow" or expected.values.type == actual.values.type:
            return expected, actual
        try:
            cast_actual = actual.values.cast(expected.values.type) if expected.logical == actual.logical else None
        except (pa.ArrowException, NotImplementedError):  # it would lose digits
            cast_actual = None
        if cast_actual is None:
            return as_objects(expected), as_objects(actual)
        return expected, Column("arrow", actual.logical, cast_actual)
    if expected.kind == "category":
        return _common(decoded(expected), actual)
    if actual.kind == "category":
        return _common(expected, decoded(actual))
    if "object" in (expected.kind, actual.kind):
        plain_e, plain_a = plainly(expected), plainly(actual)
        if plain_e.kind == plain_a.kind != "object":
            return plain_e, plain_a
    return as_objects(expected), as_objects(actual)


def _arrow(expected: Column, actual: Column, limits: Bounds) -> Cells:
    e, a = expected.values, actual.values
    if e.equals(a):
        return SAME
    try:
        equal = pc.equal(e, a)
    except pa.ArrowNotImplementedError:  # intervals, unions
        return objects(as_objects(expected), as_objects(actual), limits)
    rows = np.flatnonzero(~pc.fill_null(equal, True).to_numpy(zero_copy_only=False))
    flips = np.flatnonzero(expected.is_null() != actual.is_null()) if e.null_count or a.null_count else SAME.flips
    if not len(rows) or not (pa.types.is_decimal(e.type) or pa.types.is_temporal(e.type)):
        return Cells(rows, flips)
    return second_look(Cells(rows, flips), expected, actual, Rule(limits.tolerance, limits.noise), limits.source)


def _categories(expected: Column, actual: Column, limits: Bounds) -> Cells:
    e, a = expected.values, _recoded(expected, actual)
    if a is None:
        return _decoded(expected, actual, limits)
    unequal = e != a
    if not unequal.any():
        return SAME
    known = cast(Column, expected.categories)
    if known.kind not in ("arrow", "object") or limits.stated:
        return _decoded(expected, actual, limits)
    rows = np.flatnonzero(unequal)
    flipped = (e[rows] < 0) | (a[rows] < 0)
    return Cells(rows[~flipped], rows[flipped])


def _decoded(expected: Column, actual: Column, limits: Bounds) -> Cells:
    e, a = decoded(expected), decoded(actual)
    return compare_columns(e, a, limits.of(e.logical, a.logical, None))


def _recoded(expected: Column, actual: Column) -> Array | None:
    """Return the codes of ``actual`` in the numbering of ``expected``; None where there is no such numbering."""
    known, other = expected.categories, actual.categories
    assert known is not None
    assert other is not None
    if known.kind != other.kind or known.logical != other.logical:
        return None
    if len(known) == len(other) and not len(compare_columns(known, other, bounds(IDENTICAL, "", "")).rows):
        return cast(Array, actual.values)
    try:
        names = pd.Index(known.objects(), dtype=object)
        numbering = names.get_indexer(pd.Index(other.objects(), dtype=object))
    except (TypeError, pd.errors.InvalidIndexError):  # categories that cannot be hashed, or occur twice
        return None
    strange = np.flatnonzero(numbering < 0)
    numbering[strange] = len(known) + np.arange(len(strange))
    return cast(Array, np.append(numbering, -1)[actual.values])  # code -1 reads the last entry


def _objects_by_name(expected: Column, actual: Column, limits: Bounds) -> Cells:
    """Compare maps as dicts; those that name something twice as lists of pairs."""
    columns = []
    for side in (expected, actual):
        cells = side.objects()
        for n, cell in enumerate(cells):
            with suppress(TypeError):  # names that cannot be hashed
                if cell is not None and len(dict(cell)) == len(cell):
                    cells[n] = dict(cell)
        columns.append(Column("object", side.logical, cells))
    return objects(columns[0], columns[1], limits.of("", "", None))


_KERNELS: dict[str, Callable[[Column, Column, Bounds], Cells]] = {
    "number": numbers,
    "complex": complex_numbers,
    "instant": ticks,
    "span": ticks,
    "arrow": _arrow,
    "category": _categories,
    "list": partial(lists, compare=compare_columns),
    "struct": partial(structs, compare=compare_columns),
    "map": partial(maps, compare=compare_columns, by_name=_objects_by_name),
    "object": objects,
}
