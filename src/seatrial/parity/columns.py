"""What a column is: its logical type, and the plainest array that holds it without loss.

A logical type says what a value means, not how pandas stores it: strings are ``string`` whether they are
Python objects, ``str`` or Arrow; ``Int64`` is ``int64``; a timestamp is an instant whatever its unit
(ns, us, ms, s), with its time zone as part of the type. What pandas keeps as Python objects although a plain
type exists (booleans beside a None, say) is named ``object[...]``: a model does not treat it the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Kind = Literal["number", "instant", "span", "arrow", "category", "list", "object"]
Array = np.ndarray[Any, np.dtype[Any]]

NAT = np.iinfo(np.int64).min
TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # a second; dividing by them rounds once

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
_PLAIN_ARROW = (
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_binary, "binary"),
    (pa.types.is_large_binary, "binary"),
    (pa.types.is_null, "null"),
)
_UNREADABLE = (pa.ArrowException, UnicodeError, OverflowError, ValueError, TypeError)


@dataclass(frozen=True)
class Column:
    """One column, ready to be compared.

    ``values`` is a numpy array (number, instant and span as int64, category as codes, object) or an Arrow
    array (arrow, list). A null is NaN in a float, NaT in an instant or span, -1 in a category, a null in
    Arrow, None or NaN in an object; for the rest ``nulls`` marks it, None meaning that there is none.
    """

    kind: Kind
    logical: str
    values: Any
    nulls: Array | None = None
    unit: str = ""
    categories: Column | None = None
    zone: Any = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Array) -> Column:
        """Return the given rows (int64 positions) in the given order."""
        if self.kind in ("arrow", "list"):
            values = self.values.take(pa.array(rows))
        else:
            values = self.values.take(rows, mode="clip")  # "raise" would buffer; positions are ours
        nulls = None if self.nulls is None else self.nulls.take(rows)
        return Column(self.kind, self.logical, values, nulls, self.unit, self.categories, self.zone)

    def is_null(self) -> Array:
        """Return which rows are null, as a boolean array."""
        if self.kind in ("arrow", "list"):
            return _bools(self.values.is_null())
        if self.kind == "object":
            return np.asarray(pd.isna(self.values), dtype=bool)
        if self.kind == "category":
            return np.asarray(self.values < 0)
        if self.kind in ("instant", "span"):
            return np.asarray(self.values == NAT)
        if self.values.dtype.kind == "f":
            return np.asarray(np.isnan(self.values))
        return np.zeros(len(self.values), dtype=bool) if self.nulls is None else self.nulls

    def objects(self) -> Array:
        """Return the cells as Python objects, null as None; slow, for what nothing faster can compare."""
        if self.kind == "category":
            return decoded(self).objects()
        out = np.empty(len(self), dtype=object)
        if self.kind in ("arrow", "list"):
            out[:] = self.values.to_pylist()
        elif self.kind in ("instant", "span"):
            letter = "M" if self.kind == "instant" else "m"
            cells = pd.Series(self.values.view(f"{letter}8[{self.unit}]"))
            out[:] = list(cells.dt.tz_localize("UTC").dt.tz_convert(self.zone) if self.zone else cells)
        else:
            out[:] = self.values.tolist()
        out[self.is_null()] = None
        return out


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
        return Column("instant", f"timestamp[{dtype.tz}]", instants, unit=dtype.unit, zone=dtype.tz)
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


def of_arrow(values: Any) -> Column:  # noqa: PLR0911 - one return a family of types
    """Read an Arrow array or chunked array."""
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0) if values.num_chunks == 1 else _joined(values)
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return Column("arrow", "string", values)
    if pa.types.is_dictionary(kind):
        categories = of_arrow(values.dictionary)
        codes = values.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return Column("category", f"category[{categories.logical}]", codes, categories=categories)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _number_of_arrow(values)
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        ticks = values.cast(pa.int64()).fill_null(NAT).to_numpy(zero_copy_only=False)
        if pa.types.is_duration(kind):
            return Column("span", "duration", ticks, unit=kind.unit)
        name = f"timestamp[{kind.tz}]" if kind.tz else "timestamp"
        return Column("instant", name, ticks, unit=kind.unit, zone=kind.tz)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return Column("list", f"list[{_name(kind.value_type)}]", values.cast(pa.large_list(kind.value_type)))
    return Column("arrow", _name(kind), values)


def decoded(encoded: Column) -> Column:
    """Return a category column as a column of its values."""
    categories = encoded.categories
    assert categories is not None
    missing = encoded.values < 0
    codes = encoded.values.astype(np.int64)
    if categories.kind == "arrow":
        return of_arrow(categories.values.take(pa.array(codes, mask=missing)))
    if not len(categories):
        return Column("object", categories.logical, np.full(len(encoded), None, dtype=object))
    plain = categories.take(np.maximum(codes, 0))
    if plain.kind in ("instant", "span"):
        return Column(plain.kind, plain.logical, np.where(missing, NAT, plain.values), unit=plain.unit, zone=plain.zone)
    if plain.kind == "number" and plain.values.dtype.kind == "f":
        return Column("number", plain.logical, np.where(missing, np.nan, plain.values))
    if plain.kind == "number":
        return Column("number", plain.logical, plain.values, nulls=missing if missing.any() else None)
    cells = plain.objects()
    cells[missing] = None
    return Column("object", plain.logical, cells)


@lru_cache(maxsize=32)
def sampled(rows: int, most: int) -> Array:
    """Return ascending positions of at most so many rows, at random (seed 0): a stride can hit a rhythm."""
    if rows <= most:
        return np.arange(rows)
    return np.unique(np.random.default_rng(0).integers(0, rows, most))


def as_large_string(strings: Column) -> Column:
    """Return a string column with 64-bit offsets, the one form in which any two can be compared."""
    if pa.types.is_large_string(strings.values.type):
        return strings
    return Column("arrow", "string", strings.values.cast(pa.large_string()))


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
    return Column("object", values.dtype.name, values.astype(object))


def _of_objects(values: Array) -> Column:
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    logical = _HELD_AS_OBJECTS.get(inferred)
    try:
        if logical == "string":
            return Column("arrow", "string", pa.array(values, pa.large_string(), from_pandas=True))
        if inferred == "mixed" and _first_is_list(values):
            return of_arrow(pa.array(values, from_pandas=True))
    except _UNREADABLE:  # a lone surrogate, lists of mixed cells: Python can still compare them
        pass
    return Column("object", logical or f"object[{inferred}]", values)


def _of_masked(series: pd.Series, dtype: np.dtype[Any]) -> Column:
    name = "bool" if dtype.kind == "b" else dtype.name
    if dtype.kind == "f":
        return Column("number", name, series.to_numpy(dtype=dtype, na_value=np.nan))
    nulls = series.isna().to_numpy()
    if not nulls.any():
        return Column("number", name, series.to_numpy(dtype=dtype))
    return Column("number", name, series.to_numpy(dtype=dtype, na_value=dtype.type(0)), nulls=nulls)


def _number_of_arrow(values: Any) -> Column:
    name = _name(values.type)
    if pa.types.is_floating(values.type):
        return Column("number", name, values.to_numpy(zero_copy_only=False))
    if not values.null_count:
        return Column("number", name, values.to_numpy(zero_copy_only=False))
    nulls = _bools(values.is_null())
    zero = pa.scalar(False if name == "bool" else 0, values.type)
    return Column("number", name, values.fill_null(zero).to_numpy(zero_copy_only=False), nulls=nulls)


def _joined(values: Any) -> Any:
    # 32-bit offsets cannot address the joined text of a large column
    if pa.types.is_string(values.type):
        values = values.cast(pa.large_string())
    joined = values.combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined


def _first_is_list(values: Array) -> bool:
    first = next((cell for cell in values if cell is not None and not isinstance(cell, float)), None)
    return isinstance(first, (list, tuple, np.ndarray))


def _name(kind: Any) -> str:
    if pa.types.is_floating(kind):
        return f"float{kind.bit_width}"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "string"
    return next((name for test, name in _PLAIN_ARROW if test(kind)), str(kind))


def _bools(values: Any) -> Array:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)
