"""What a column is: its logical type, and the plainest array that holds it without loss.

A logical type says what a value means, not how pandas stores it: strings are ``string`` whether they are
Python objects, ``str`` or Arrow; ``Int64`` is ``int64``; a timestamp is an instant whatever its unit
(ns, us, ms, s), with its time zone as part of the type. What pandas keeps as Python objects although a plain
type exists (booleans beside a None, say) is named ``object[...]``: a model does not treat it the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Kind = Literal["number", "complex", "instant", "span", "arrow", "category", "list", "struct", "map", "object"]
ARROW = ("arrow", "list", "struct", "map")  # kinds whose values are an Arrow array
Array = np.ndarray[Any, np.dtype[Any]]

NAT = np.iinfo(np.int64).min
TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # a second; dividing by them rounds once


_PLAIN_ARROW = (
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_binary, "binary"),
    (pa.types.is_large_binary, "binary"),
    (lambda kind: str(kind) == "binary_view", "binary"),
    (pa.types.is_null, "null"),
)
UNREADABLE = (pa.ArrowException, UnicodeError, OverflowError, ValueError, TypeError)


@dataclass(frozen=True)
class Column:
    """One column, ready to be compared.

    ``values`` is a numpy array (number, complex, instant and span as int64, category as codes, object) or an Arrow
    array (arrow, list, struct, map). A null is NaN in a float, NaT in an instant or span, -1 in a category, a null in
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
        positions = (pa.array(rows),) if self.kind in ARROW else (rows, None, None, "clip")  # "raise" would buffer
        values = self.values.take(*positions)
        nulls = None if self.nulls is None else self.nulls.take(rows)
        return Column(self.kind, self.logical, values, nulls, self.unit, self.categories, self.zone)

    def is_null(self) -> Array:
        """Return which rows are null, as a boolean array."""
        if self.kind in ARROW:
            return bools(self.values.is_null())
        if self.kind == "object":
            return np.asarray(pd.isna(self.values), dtype=bool)
        if self.kind == "category":
            return np.asarray(self.values < 0)
        if self.kind in ("instant", "span"):
            return np.asarray(self.values == NAT)
        if self.values.dtype.kind in "fc":
            return np.asarray(np.isnan(self.values))
        return np.zeros(len(self.values), dtype=bool) if self.nulls is None else self.nulls

    def objects(self) -> Array:
        """Return the cells as Python objects, null as None; slow, for what nothing faster can compare."""
        if self.kind == "category":
            return decoded(self).objects()
        out = np.empty(len(self), dtype=object)
        if self.kind in ARROW:
            out[:] = self.values.to_pylist()
        elif self.kind in ("instant", "span"):
            letter = "M" if self.kind == "instant" else "m"
            cells = pd.Series(self.values.view(f"{letter}8[{self.unit}]"))
            out[:] = list(cells.dt.tz_localize("UTC").dt.tz_convert(self.zone) if self.zone else cells)
        else:
            out[:] = self.values.tolist()
        out[self.is_null()] = None
        return out


def of_arrow(values: Any) -> Column:  # noqa: PLR0911 - one return a family of types
    """Read an Arrow array or chunked array."""
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0) if values.num_chunks == 1 else _joined(values)
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if str(values.type).startswith("run_end_encoded"):  # since pyarrow 13
        values = pc.run_end_decode(values)
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view":  # since pyarrow 16
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
    if is_list(kind):
        return Column("list", _name(kind), _large_lists(values))
    if pa.types.is_struct(kind) and len({field.name for field in kind}) == kind.num_fields:
        return Column("struct", _name(kind), values)
    if pa.types.is_map(kind):
        return Column("map", _name(kind), values)
    return Column("arrow", _name(kind), values)


def is_list(kind: Any) -> bool:
    """Whether an Arrow type is one of lists, however it keeps them."""
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return listed or str(kind).startswith(("list_view", "large_list_view"))  # since pyarrow 16


def _large_lists(values: Any) -> Any:
    kind = pa.large_list(values.type.value_type)
    try:
        return values.cast(kind)
    except pa.ArrowNotImplementedError:  # of lists of fixed size, before pyarrow 14
        return pa.array(values.to_pylist(), kind)


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


def _number_of_arrow(values: Any) -> Column:
    name = _name(values.type)
    if pa.types.is_floating(values.type):
        return Column("number", name, values.to_numpy(zero_copy_only=False))
    if not values.null_count:
        return Column("number", name, values.to_numpy(zero_copy_only=False))
    nulls = bools(values.is_null())
    zero = pa.scalar(False if name == "bool" else 0, values.type)
    return Column("number", name, values.fill_null(zero).to_numpy(zero_copy_only=False), nulls=nulls)


def _joined(values: Any) -> Any:
    # 32-bit offsets cannot address the joined text of a large column
    if pa.types.is_string(values.type):
        values = values.cast(pa.large_string())
    joined = values.combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined


def _name(kind: Any) -> str:  # noqa: PLR0911 - one return a family of types
    if pa.types.is_floating(kind):
        return f"float{kind.bit_width}"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view":
        return "string"
    if is_list(kind):
        return f"list[{_name(kind.value_type)}]"
    if pa.types.is_struct(kind):  # a field is known by its name, not by its place
        return f"struct[{', '.join(sorted(f'{field.name}: {_name(field.type)}' for field in kind))}]"
    if pa.types.is_map(kind):
        return f"map[{_name(kind.key_type)}, {_name(kind.item_type)}]"
    if pa.types.is_timestamp(kind):
        return f"timestamp[{kind.tz}]" if kind.tz else "timestamp"
    if pa.types.is_duration(kind):
        return "duration"
    if pa.types.is_dictionary(kind):
        return f"category[{_name(kind.value_type)}]"
    return next((name for test, name in _PLAIN_ARROW if test(kind)), str(kind))


def bools(values: Any) -> Array:
    """Return an Arrow array of booleans as numpy's, null as False."""
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)
