"""Read pandas columns as the plainest arrays that hold them without loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from seatrial.parity.columns import (
    Array,
    Column,
    Kind,
    of_arrow,
)

_TOGETHER = 8  # columns of float64 that share one cache line of 64 bytes


_ROWS_IN_CACHE = 2_048  # their lines stay in the cache until the last of the eight is read


# What pandas.api.types.infer_dtype says of an object column, for types that pandas keeps as objects anyway.
_HELD_AS_OBJECTS = {
    "string": "string",
    "bytes": "binary",
    "decimal": "decimal",
    "date": "date",
    "time": "time",
    "empty": "null",
}


def column(series: pd.Series) -> Column:  # noqa: PLR0911 - one return a family of dtypes
    """Read a pandas column without copying it where its layout allows."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return _of_numpy(series.to_numpy())
    if isinstance(dtype, pd.CategoricalDtype):
        categories = column(pd.Series(dtype.categories))
        ordered = " ordered" if dtype.ordered else ""
        codes = series.cat.codes.to_numpy()
        return Column("category", f"category[{categories.logical}]{ordered}", codes, categories=categories)
    if isinstance(dtype, pd.DatetimeTZDtype):
        instants = series.to_numpy(dtype=f"M8[{dtype.unit}]").view("i8")
        zone = pa.timestamp("s", dtype.tz).tz  # one name for an offset, whichever library's object holds it
        return Column("instant", f"timestamp[{zone}]", instants, unit=dtype.unit, zone=dtype.tz)
    if isinstance(dtype, pd.StringDtype):
        return of_arrow(pa.array(series.array, from_pandas=True))
    if isinstance(dtype, pd.ArrowDtype):
        return of_arrow(pa.array(series.array))
    if isinstance(dtype, pd.SparseDtype):
        return column(pd.Series(np.asarray(series.array)))
    if hasattr(dtype, "numpy_dtype"):  # Int64, Float64, boolean and their sizes
        return _of_masked(series, np.dtype(dtype.numpy_dtype))
    return Column("object", str(dtype), series.astype(object).to_numpy())


def columns(frame: pd.DataFrame, names: Sequence[Any]) -> Iterator[Column]:
    """Read columns one after the other.

    A frame made of one row-major array holds its columns interleaved: reading one drags eight through the
    cache. Such neighbours are copied out together, eight at a time, which bounds the memory.
    """
    for start in range(0, len(names), _TOGETHER):
        group = [frame[name] for name in names[start : start + _TOGETHER]]
        plain = {
            i: series.to_numpy()
            for i, series in enumerate(group)
            if isinstance(series.dtype, np.dtype) and series.dtype.kind != "O"
        }
        spread = {i: values for i, values in plain.items() if values.strides[0] > 2 * values.itemsize}
        packed = _packed(spread)
        for i, series in enumerate(group):
            yield _of_numpy(packed.pop(i)) if i in packed else column(series)


def _packed(spread: dict[int, Array]) -> dict[int, Array]:
    packed = {i: np.empty(len(values), values.dtype) for i, values in spread.items()}
    rows = max((len(values) for values in spread.values()), default=0)
    for start in range(0, rows, _ROWS_IN_CACHE):
        part = slice(start, start + _ROWS_IN_CACHE)
        for i, values in spread.items():
            packed[i][part] = values[part]
    return packed


def _of_numpy(values: Array) -> Column:
    letter = values.dtype.kind
    if letter in "iu" or (letter == "f" and values.dtype.itemsize <= 8):
        return Column("number", values.dtype.name, values)
    if letter == "b":
        return Column("number", "bool", values)
    if letter in "Mm":
        unit = np.datetime_data(values.dtype)[0]
        kind: Kind = "instant" if letter == "M" else "span"
        return Column(kind, "timestamp" if letter == "M" else "duration", values.view("i8"), unit=unit)
    if letter == "O":
        return _of_objects(values)
    if letter == "c" and values.dtype.itemsize <= 16:
        return Column("complex", values.dtype.name, values)
    return Column("object", values.dtype.name, values.astype(object))


def _of_objects(values: Array) -> Column:
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    logical = _HELD_AS_OBJECTS.get(inferred)
    try:
        if logical == "string":
            return Column("arrow", "string", pa.array(values, pa.large_string(), from_pandas=True))
        if inferred == "mixed" and _first_is_list(values) and not _mixes_times(values):
            lists = of_arrow(pa.array(_nulls_as_none(values)))  # as from pandas, a NaN in a list would be a null
            if "struct[" not in lists.logical:  # which would give each dict the names of all
                return lists
    except Exception:  # noqa: BLE001, S110  half a surrogate pair, mixed cells, a class of the project's: Python compares
        pass
    return Column("object", logical or _name(values, inferred), values)


def _mixes_times(values: Array) -> bool:
    """Whether arrays of instants stand beside other arrays: over them Arrow's inference ends the process."""
    kinds = _kinds_of_arrays(values)
    return "M" in kinds and len(kinds) > 1


def _kinds_of_arrays(cells: Iterable[Any]) -> set[str]:
    """Return the kinds of the arrays in cells, at any depth; a list that begins with a scalar holds none."""
    found: set[str] = set()
    for cell in cells:
        if isinstance(cell, np.ndarray):
            found |= {cell.dtype.kind} if cell.dtype.kind != "O" else _kinds_of_arrays(cell.ravel())
        elif isinstance(cell, dict):
            found |= _kinds_of_arrays(cell.values())
        elif isinstance(cell, list | tuple):
            first = next((item for item in cell if item is not None), None)
            if isinstance(first, np.ndarray | dict | list | tuple):
                found |= _kinds_of_arrays(cell)
    return found


def _nulls_as_none(values: Array) -> Array:
    nulls = pd.isna(values)
    if not nulls.any():
        return values
    held: Array = values.copy()
    held[nulls] = None
    return held


def _name(values: Array, inferred: str) -> str:
    """Return the logical type of what only Python can hold: that of its cells where all are of one."""
    if inferred != "mixed":
        return f"object[{inferred}]"
    cells = values[~pd.isna(values)]
    kinds = {list if kind is tuple else kind for kind in set(map(type, cells))}
    if not kinds:  # nulls of several kinds
        return "object[empty]"
    if len(kinds) > 1:
        return "object[mixed]"
    (kind,) = kinds
    if kind is np.ndarray:
        return " or ".join(sorted({f"array[{cell.dtype.name}, {cell.ndim}-D]" for cell in cells}))
    if kind is list:
        dicts = all(isinstance(item, dict) for cell in cells for item in cell)
        return "list[dict]" if dicts else "list[mixed]"
    return str(kind.__name__)


def _of_masked(series: pd.Series, dtype: np.dtype[Any]) -> Column:
    name = "bool" if dtype.kind == "b" else dtype.name
    if dtype.kind == "f":
        return Column("number", name, series.to_numpy(dtype=dtype, na_value=np.nan))
    nulls = series.isna().to_numpy()
    if not nulls.any():
        return Column("number", name, series.to_numpy(dtype=dtype))
    return Column("number", name, series.to_numpy(dtype=dtype, na_value=dtype.type(0)), nulls=nulls)


def _first_is_list(values: Array) -> bool:
    first = next((cell for cell in values if cell is not None and not isinstance(cell, float)), None)
    return isinstance(first, (list, tuple, np.ndarray))
