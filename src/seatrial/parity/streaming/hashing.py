"""Numbers of keys that tell in which partition they are: the same in every process, and whatever type a side has."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from seatrial.parity.columns import TICKS, Array, Column, decoded

Way = Literal["own", "float", "exact"]  # how numbers are read
_LARGEST = 2**63 - 1


def ways(schemas: Sequence[pa.Schema], key: Sequence[str]) -> list[Way]:
    """Return how the numbers of each key column are read, so that those of both sides are the same where they equal."""
    found: list[Way] = []
    for name in key:
        types = [_plain(schema.field(name).type) for schema in schemas]
        inexact = any(map(pa.types.is_floating, types))
        found.append("exact" if any(map(pa.types.is_decimal, types)) else "float" if inexact else "own")
    return found


def hashes(keys: Sequence[Column], how: Sequence[Way]) -> Array:
    """Return a uint64 for each row of some key columns."""
    found = np.zeros(len(keys[0]), dtype=np.uint64)
    for column, way in zip(keys, how, strict=True):
        with np.errstate(over="ignore"):
            found = found * np.uint64(0x9E3779B97F4A7C15) ^ _hash(column, way)
    return np.asarray(found ^ (found >> np.uint64(29)))


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _hash(keys: Column, way: Way) -> Array:
    if keys.kind == "category":
        return _hash(decoded(keys), way)
    if keys.kind == "number" and way == "own":
        return np.asarray(pd.util.hash_array(keys.values.astype(np.int64)))
    if keys.kind == "number" and way == "float":
        return np.asarray(pd.util.hash_array(keys.values.astype(np.float64) + 0.0))  # -0.0 is 0.0
    if keys.kind == "arrow" and keys.logical == "string":
        return np.asarray(pd.util.hash_array(keys.objects(), categorize=False))
    if keys.kind in ("instant", "span"):
        return np.asarray(pd.util.hash_array(_nanoseconds(keys)))
    return np.fromiter(map(_of_cell, keys.objects()), np.uint64, len(keys))


def _nanoseconds(keys: Column) -> Array:
    """Return ticks of any unit as those of the finest, which may wrap: equal instants are equal all the same."""
    seconds, rest = np.divmod(keys.values, TICKS[keys.unit])
    with np.errstate(over="ignore"):
        return np.asarray(seconds * np.int64(TICKS["ns"]) + rest * np.int64(TICKS["ns"] // TICKS[keys.unit]))


def _of_cell(cell: Any) -> int:
    """Return a number of a cell; Python's own hash is the same in every process for numbers alone."""
    return hash(cell) & _LARGEST if isinstance(cell, int | float | Decimal) else zlib.crc32(repr(cell).encode())
