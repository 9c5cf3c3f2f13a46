"""Columns that Arrow, Parquet or pandas would change, as Arrow arrays from which the same columns are made again."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as kinds

from seatrial.io.arrow_stream import read_table, unreadable
from seatrial.io.cells import objects
from seatrial.io.cells.codec import decode, encode
from seatrial.io.cells.objects import Spec
from seatrial.io.cells.refusals import Unsupported

Packed = tuple[Any, Spec | None]
MAX_CATEGORIES = 100_000_000  # of one type
_NAT = np.iinfo(np.int64).min
_MASKED = ("boolean", *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)), "Float32", "Float64")


def pack(column: pd.Series) -> Packed | None:  # noqa: PLR0911  one return a family of types
    """Return the Arrow array of a column and how it is made again; None where Arrow and pandas keep it as it is.

    Raises:
        Unsupported: it holds cells, or is of a type, that cannot be kept.
    """
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return _of_numpy(column, dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        return _codes(column) if _needs_codes(dtype.categories) else None
    if isinstance(dtype, pd.ArrowDtype):
        return _of_arrow(column)
    if isinstance(dtype, pd.SparseDtype):
        return _sparse(column)
    if isinstance(dtype, pd.PeriodDtype):
        ordinals = column.array.asi8
        return pa.array(ordinals, mask=ordinals == _NAT), {"kind": "period", "freq": str(dtype)[len("period[") : -1]}
    if isinstance(dtype, pd.IntervalDtype):
        cells = [encode(cell) if isinstance(cell, pd.Interval) else None for cell in column.array]
        spec = {"kind": "interval", "of": str(dtype.subtype), "closed": dtype.closed}
        return pa.array(cells, pa.large_binary()), spec
    if isinstance(dtype, pd.StringDtype | pd.DatetimeTZDtype) or str(dtype) in _MASKED:
        return None
    raise Unsupported(f"the type {dtype}", "Convert it to a type of pandas or Arrow, or to objects: astype(object).")


def unpack(array: Any, spec: Spec) -> Any:
    """Return the cells of a column that :func:`pack` was given, for a Series.

    Raises:
        Exception: the array does not fit; whoever wrote it may have written anything.
    """
    return _UNPACKERS[spec["kind"]](array, spec)


def _of_numpy(column: pd.Series, dtype: np.dtype[Any]) -> Packed | None:
    if dtype.kind == "O":
        return objects.pack(column.to_numpy())
    if dtype == np.float16:  # Parquet has them since pyarrow 15
        return pa.array(column.to_numpy().astype("float32")), {"kind": "half"}
    if dtype in (np.complex64, np.complex128):
        half = np.ascontiguousarray(column.to_numpy()).view(f"f{dtype.itemsize // 2}")
        return pa.FixedSizeListArray.from_arrays(pa.array(half), 2), {"kind": "complex"}
    if dtype.kind in "fc" and dtype.itemsize > 8:
        raise Unsupported(
            f"the type {dtype}", f"Convert it: astype('{'float64' if dtype.kind == 'f' else 'complex128'}')."
        )
    return None


def _needs_codes(categories: pd.Index) -> bool:
    """Whether Arrow has no dictionary of such categories."""
    if isinstance(categories.dtype, np.dtype):
        found = pack(pd.Series(categories))
        return found is not None and not kinds.is_string(found[0].type)
    return not (isinstance(categories.dtype, pd.StringDtype | pd.DatetimeTZDtype) or str(categories.dtype) in _MASKED)


def _codes(column: pd.Series) -> Packed:
    """Return codes, with the categories beside: they may be intervals, or of several types."""
    codes = column.cat.codes.to_numpy()
    found = pack(pd.Series(column.cat.categories))
    array, spec = found or (pa.array(pd.Series(column.cat.categories)), None)
    kept = {"kind": "codes", "ordered": bool(column.cat.ordered), "categories": _text(array), "of": spec}
    return pa.array(codes, mask=codes < 0), kept


def _text(array: Any) -> str:
    table = pa.table({"categories": array})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue().to_pybytes()).decode()


def _of_arrow(column: pd.Series) -> Packed:
    array = pa.array(column.array)
    if reason := unreadable(array.type):
        raise Unsupported(f"the Arrow type {reason}", "Cast it to a plain, list or struct type.")
    if array.null_count and kinds.is_fixed_size_list(array.type):  # Parquet reads back none whose lists may be null
        cells = [None if cell is None else encode(cell) for cell in array.to_pylist()]
        kind = base64.b64encode(pa.schema([pa.field("cells", array.type)]).serialize().to_pybytes()).decode()
        return pa.array(cells, pa.large_binary()), {"kind": "arrow cells", "of": kind}
    return array, {"kind": "arrow"}


def _sparse(column: pd.Series) -> Packed:
    dtype: Any = column.dtype
    if dtype.subtype.kind not in "biuf":
        raise Unsupported(f"the type {dtype}", "Make it dense: column.sparse.to_dense().")
    fill = base64.b64encode(encode(dtype.fill_value)).decode()
    return pa.array(np.asarray(column.array)), {"kind": "sparse", "of": dtype.subtype.str, "fill": fill}


def _of_codes(array: Any, spec: Spec) -> pd.Categorical:
    table = read_table(pa.BufferReader(base64.b64decode(spec["categories"])), MAX_CATEGORIES)
    inner = spec["of"]
    if inner is not None and inner["kind"] == "codes":
        raise ValueError("categories of categories")
    stored = table["categories"]
    categories = _categories(stored.to_pandas() if inner is None else unpack(stored, inner))
    codes = array.fill_null(-1).to_numpy()
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories, ordered=spec["ordered"]))


def _categories(cells: Any) -> pd.Index:
    return pd.Index(cells, dtype=object if cells.dtype == object else None, name=None, tupleize_cols=False)


def _of_sparse(array: Any, spec: Spec) -> Any:
    values = array.to_numpy()
    dtype = np.dtype(spec["of"])
    if dtype.kind not in "biuf" or values.dtype != dtype:
        raise ValueError("numbers of another type")
    fill = decode(base64.b64decode(spec["fill"]))
    return pd.arrays.SparseArray(values, fill_value=fill, dtype=pd.SparseDtype(dtype, fill))


def _of_arrow_cells(array: Any, spec: Spec) -> Any:
    kind = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(spec["of"]))).field(0).type
    cells = [None if cell is None else decode(cell) for cell in array.to_pylist()]
    return pd.arrays.ArrowExtensionArray(pa.array(cells, kind))


def _of_complex(array: Any, _: Spec) -> Any:
    flat = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    halves = flat.flatten().to_numpy()
    return np.ascontiguousarray(halves).view(f"c{2 * halves.dtype.itemsize}").copy()


def _of_period(array: Any, spec: Spec) -> Any:
    return pd.arrays.PeriodArray(array.fill_null(_NAT).to_numpy().copy(), dtype=pd.PeriodDtype(spec["freq"]))


def _of_intervals(array: Any, spec: Spec) -> Any:
    cells = [np.nan if cell is None else decode(cell) for cell in array.to_pylist()]
    return pd.arrays.IntervalArray(cells, dtype=pd.IntervalDtype(spec["of"], spec["closed"]))


_UNPACKERS: dict[str, Callable[[Any, Spec], Any]] = {
    "objects": objects.unpack,
    "arrays": objects.unpack,
    "decimals": objects.unpack,
    "cells": objects.unpack,
    "half": lambda array, _: array.to_numpy().astype("float16"),
    "complex": _of_complex,
    "codes": _of_codes,
    "arrow": lambda array, _: pd.arrays.ArrowExtensionArray(array),
    "arrow cells": _of_arrow_cells,
    "sparse": _of_sparse,
    "period": _of_period,
    "interval": _of_intervals,
}
