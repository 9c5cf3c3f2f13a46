"""Columns of Python objects as Arrow arrays from which the same objects are made again.

Where all cells are of one type that Arrow has, or lists or arrays of one, the Arrow array is of that type; others are
kept cell by cell, as ``codec.py`` describes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from seatrial.io.cells.codec import decode, encode

Spec = dict[str, Any]
_STRINGS = int(pd.__version__.partition(".")[0]) >= 3  # where text in an object column was meant to be objects
_NONE, _NAN = type(None), "nan"
_NULLS: dict[Any, str] = {_NONE: "None", type(pd.NA): "NA", type(pd.NaT): "NaT"}
_NULL: dict[str, Any] = {"nan": np.nan, "NA": pd.NA, "NaT": pd.NaT}
_BACK_AS_THEY_WERE = {bytes, dt.date, dt.time, Decimal}  # by pandas from their Arrow type, a null as None
_NATIVE = {str, int, float, bool, bytes}
_FAILED = (pa.ArrowException, ValueError, TypeError, OverflowError, NotImplementedError)


def pack(values: Any) -> tuple[Any, Spec | None]:
    """Return the Arrow array of a column's cells, and how they are made again; None where pandas does that.

    Args:
        values: a numpy array of objects.

    Raises:
        Unsupported: a cell is of a type that cannot be kept.
    """
    kinds = set(map(type, values))
    null, known = _null_of(kinds, values)
    if null is not None:
        cells = [None if _is_null(v) else v for v in values] if null else list(values)
        try:
            if (found := _typed(cells, known)) is not None:
                array, spec = found
                restored = spec or ({"kind": "objects"} if null else None)
                return array, restored and ({**restored, "null": null} if null else restored)
        except _FAILED:  # text that is not Unicode, integers beyond 64 bits
            pass
    encoded = [encode(v) for v in values] if null is None else [None if v is None else encode(v) for v in cells]
    return pa.array(encoded, pa.large_binary()), {"kind": "cells", **({"null": null} if null else {})}


def unpack(array: Any, spec: Spec) -> Any:
    """Return the numpy array of objects that :func:`pack` was given.

    Raises:
        Exception: the array does not fit; whoever wrote it may have written anything.
    """
    cells = _UNPACKERS[spec["kind"]](array, spec)
    null = _NULL[spec["null"]] if "null" in spec else None
    values = np.empty(len(cells), dtype=object)
    for n, cell in enumerate(cells):  # at once, numpy would make one array of cells of equal length
        values[n] = null if cell is None else cell
    return values


def _null_of(kinds: set[type], values: Any) -> tuple[str | None, set[type]]:
    """Return the one kind of null in a column and the types of the rest; "" for None, None where there are several."""
    nulls, known = kinds & _NULLS.keys(), kinds - _NULLS.keys()
    found = {_NULLS[kind] for kind in nulls}
    if found - {"None"} and float in known and any(type(v) is float and _is_null(v) for v in values):
        return None, known
    if float in known and len(known) > 1 and all(v != v for v in values if type(v) is float):  # noqa: PLR0124
        found, known = found | {_NAN}, known - {float}
    if len(found) > 1:
        return None, known
    return next(iter(found), "None").replace("None", ""), known


def _is_null(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (type(value) is float and value != value)  # noqa: PLR0124


def _typed(cells: list[Any], known: set[type]) -> tuple[Any, Spec | None] | None:
    """Return the array of cells of one type that Arrow has, or None."""
    kind = next(iter(known)) if len(known) == 1 else None
    if not known:
        return pa.array(cells), None
    if kind is str:
        return pa.array(cells), {"kind": "objects"} if _STRINGS else None
    if kind in _BACK_AS_THEY_WERE and _is_exact(kind, cells):
        return pa.array(cells), None
    if kind is Decimal:
        return _digits(cells)
    if kind is list or kind in _NATIVE:
        return _nested(cells)
    return _arrays(cells) if kind is np.ndarray else _nested(cells) if _number(kind) else None


def _is_exact(kind: type | None, cells: Iterable[Any]) -> bool:
    """Whether Arrow keeps all of a time of day, and the digits of a decimal as they are written."""
    known = [c for c in cells if c is not None]
    if kind is dt.time:
        return all(c.tzinfo is None and not c.fold for c in known)
    if kind is not Decimal:
        return True
    exponents = {c.as_tuple().exponent for c in known}
    scale = next(iter(exponents))
    plain = len(exponents) == 1 and isinstance(scale, int) and -38 <= scale <= 0
    return plain and all(len(c.as_tuple().digits) <= 38 and not (c.is_signed() and not c) for c in known)


def _digits(cells: list[Any]) -> tuple[Any, Spec]:
    """Return decimals as text, which has their digits, exponents and signs: several currencies have several scales."""
    return pa.array([None if c is None else str(c) for c in cells], pa.large_string()), {"kind": "decimals"}


def _number(kind: type | None) -> bool:
    return kind is not None and issubclass(kind, np.bool_ | np.integer | np.floating) and np.dtype(kind).itemsize <= 8


def _nested(cells: list[Any]) -> tuple[Any, Spec] | None:
    """Return the array of values or lists to one depth, all of one type, with nulls at any level."""
    inner, depth = cells, 0
    while (kinds := set(map(type, inner)) - {_NONE}) == {list}:
        inner, depth = list(chain.from_iterable(c for c in inner if c is not None)), depth + 1
    if len(kinds) != 1:
        return None
    [kind] = kinds
    if not (kind in _NATIVE or _number(kind)) or kind is np.float16:
        return None
    spec: Spec = {"kind": "objects"}
    if issubclass(kind, np.generic):
        spec |= {"item": np.dtype(kind).str, "depth": depth}
    return pa.array(cells, from_pandas=False), spec


def _arrays(cells: list[Any]) -> tuple[Any, Spec] | None:
    """Return arrays of one dimension and one type of numbers as lists, made without a look at any number."""
    known = [c for c in cells if c is not None]
    dtype = known[0].dtype
    if dtype.kind not in "biuf" or dtype.itemsize > 8 or dtype == np.float16 or not dtype.isnative:
        return None
    if any(c.ndim != 1 or c.dtype != dtype for c in known):
        return None
    ends = np.cumsum([0, *(0 if c is None else len(c) for c in cells)], dtype="int64")
    absent = np.array([*(c is None for c in cells), False])
    flat = pa.array(np.concatenate(known), from_pandas=False)
    return pa.LargeListArray.from_arrays(pa.array(ends, mask=absent), flat), {"kind": "arrays", "dtype": dtype.str}


def _of_objects(array: Any, spec: Spec) -> list[Any]:
    cells: list[Any] = array.to_pylist()
    if "item" not in spec:
        return cells
    kind = np.dtype(spec["item"]).type
    if not _number(kind):
        raise ValueError("items that are no numbers")

    def made(value: Any, depth: int) -> Any:
        if value is None:
            return None
        return [made(v, depth - 1) for v in value] if depth else kind(value)

    return [made(cell, int(spec["depth"])) for cell in cells]


def _of_arrays(array: Any, spec: Spec) -> list[Any]:
    dtype = np.dtype(spec["dtype"])
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    flat = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    values = flat.flatten().to_numpy(zero_copy_only=False).copy()  # a stage may write into it
    if values.dtype != dtype or dtype.kind not in "biuf":
        raise ValueError("numbers of another type")
    parts = np.split(values, np.cumsum(lengths)[:-1])
    present = array.is_valid().to_numpy()
    return [part if there else None for part, there in zip(parts, present, strict=True)] if len(array) else []


def _of_decimals(array: Any, _: Spec) -> list[Any]:
    if not pa.types.is_large_string(array.type):
        raise ValueError("decimals that are no text")
    return [None if cell is None else Decimal(cell) for cell in array.to_pylist()]


def _of_cells(array: Any, _: Spec) -> list[Any]:
    return [None if cell is None else decode(cell) for cell in array.to_pylist()]


_UNPACKERS: dict[str, Callable[[Any, Spec], list[Any]]] = {
    "objects": _of_objects, "arrays": _of_arrays, "decimals": _of_decimals, "cells": _of_cells,
}  # fmt: skip
