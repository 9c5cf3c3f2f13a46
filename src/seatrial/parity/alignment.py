"""Bring the rows of two frames together by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from seatrial.parity.columns import Array, Column

Keys = Any  # int64 or objects in numpy, or Arrow strings

_NO_ROWS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Alignment:
    """Which row of one frame belongs to which row of the other, as int64 positions.

    ``expected`` and ``actual`` are equally long; None means every row in its order. The other fields are the
    rows that belong nowhere: keys only in one frame, further rows of a key already seen, and null keys.
    Of a key that occurs more than once the first row is compared.
    """

    expected: Array | None = None
    actual: Array | None = None
    missing: Array = field(default_factory=lambda: _NO_ROWS)
    extra: Array = field(default_factory=lambda: _NO_ROWS)
    duplicates_expected: Array = field(default_factory=lambda: _NO_ROWS)
    duplicates_actual: Array = field(default_factory=lambda: _NO_ROWS)
    nulls_expected: Array = field(default_factory=lambda: _NO_ROWS)
    nulls_actual: Array = field(default_factory=lambda: _NO_ROWS)
    in_order: bool = True


def align(expected: Sequence[Column], actual: Sequence[Column]) -> Alignment:
    """Match the key columns of two frames: integers, strings or instants.

    One hash of the keys at most when all is well; of a key of several columns one hash a column more.
    """
    if len(expected) == 1:
        return _align(expected[0], actual[0])
    return _align(*_as_one(expected, actual))


def numbers_of(keys: Sequence[Column]) -> Array:
    """Return a number for each row, the same where all key columns are equal."""
    return cast(Array, _as_one(keys, [k.take(_NO_ROWS) for k in keys])[0].values)


def _align(expected: Column, actual: Column) -> Alignment:
    e, a = _comparable(expected, actual)
    nulls = _any_null(expected) or _any_null(actual)  # which stand for no key, whatever is stored under them
    if len(e) == len(a) and _equal(e, a) and not nulls and _unique(e):
        return Alignment()
    left, right = _index(e), _index(a)
    if left.is_unique and len(left) and not nulls:
        found = left.get_indexer(right)
        hits = np.bincount(found[found >= 0], minlength=len(left))
        if len(left) == len(right) and (hits == 1).all():  # a bijection: both sides are unique
            back = np.empty(len(left), dtype=np.int64)
            back[found] = np.arange(len(right))
            return Alignment(actual=back, in_order=False)
    return _ragged(left, right, expected.is_null(), actual.is_null())


def _ragged(left: pd.Index, right: pd.Index, null_left: Array, null_right: Array) -> Alignment:
    repeated_left, repeated_right = _repeated(left, null_left), _repeated(right, null_right)
    rows_left = np.flatnonzero(~(null_left | repeated_left))
    rows_right = np.flatnonzero(~(null_right | repeated_right))
    kept_left, kept_right = left[rows_left], right[rows_right]
    found = kept_right.get_indexer(kept_left)
    matched = found >= 0
    seen = np.zeros(len(rows_right), dtype=bool)
    seen[found[matched]] = True
    order = rows_right[found[matched]]
    return Alignment(
        expected=rows_left[matched],
        actual=order,
        missing=rows_left[~matched],
        extra=rows_right[~seen],
        duplicates_expected=np.flatnonzero(repeated_left),
        duplicates_actual=np.flatnonzero(repeated_right),
        nulls_expected=np.flatnonzero(null_left),
        nulls_actual=np.flatnonzero(null_right),
        in_order=bool(np.all(order[1:] > order[:-1])),
    )


def _as_one(expected: Sequence[Column], actual: Sequence[Column]) -> tuple[Column, Column]:
    """Return several key columns as one of whole numbers, which are equal where all the columns are."""
    rows = len(expected[0])
    numbers, space = np.zeros(rows + len(actual[0]), dtype=np.int64), 1
    for e, a in zip(expected, actual, strict=True):
        codes, count = _codes(*_comparable(e, a))
        if space * count >= 2**62:
            numbers = pd.factorize(numbers)[0].astype(np.int64, copy=False)
            space = len(numbers)
        numbers = numbers * count + codes
        space *= count
    left, right = (np.logical_or.reduce([k.is_null() for k in side]) for side in (expected, actual))
    return (
        Column("number", "key", numbers[:rows], nulls=left if left.any() else None),
        Column("number", "key", numbers[rows:], nulls=right if right.any() else None),
    )


def _codes(e: Keys, a: Keys) -> tuple[Array, int]:
    """Return the keys of both sides as numbers from 0, and a bound above them; a null has any number."""
    same = len(e) == len(a) and _equal(e, a)
    if isinstance(e, np.ndarray):
        codes, found = pd.factorize(e if same else np.concatenate([e, a]))
        codes = np.maximum(codes.astype(np.int64, copy=False), 0)
        count = len(found)
    else:
        encoded = (e if same else pa.concat_arrays([e, a])).dictionary_encode()
        codes = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        count = len(encoded.dictionary)
    return (np.concatenate([codes, codes]) if same else codes), max(1, count)


def _repeated(keys: Any, nulls: Array) -> Array:
    """Which rows repeat an earlier key; what stands under a null is no key."""
    repeated = np.zeros(len(keys), dtype=bool)
    repeated[~nulls] = keys[~nulls].duplicated()
    return repeated


def _comparable(expected: Column, actual: Column) -> tuple[Keys, Keys]:
    """Return the keys in a form that compares exactly: int64 where possible, Arrow strings, else objects."""
    if expected.kind == actual.kind == "number":
        e, a = _whole(expected), _whole(actual)
        if e is not None and a is not None:
            return e, a
    if expected.kind == actual.kind and expected.kind in ("instant", "span") and expected.unit == actual.unit:
        return expected.values, actual.values
    if expected.logical == actual.logical == "string" and expected.kind == actual.kind == "arrow":
        return expected.values.cast(pa.large_string()), actual.values.cast(pa.large_string())
    return expected.objects(), actual.objects()


def _whole(column: Column) -> Array | None:
    """Return numeric keys as int64; floats only where each is a whole number that int64 holds."""
    values = column.values
    if values.dtype.kind == "b" or (values.dtype == np.uint64 and len(values) and values.max() > 2**63 - 1):
        return None
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), 0, values)
        if not np.all((np.abs(values) < 2**63) & (values == np.trunc(values))):
            return None
    return cast(Array, values.astype(np.int64, copy=False))


def _equal(e: Keys, a: Keys) -> bool:
    return bool(np.array_equal(e, a) if isinstance(e, np.ndarray) else e.equals(a))


def _unique(keys: Keys) -> bool:
    if isinstance(keys, np.ndarray) and keys.dtype != object and bool(np.all(keys[1:] > keys[:-1])):
        return True
    if isinstance(keys, np.ndarray):
        return bool(pd.Index(keys).is_unique)
    return bool(pc.count_distinct(keys).as_py() == len(keys))


def _index(keys: Keys) -> Any:
    if isinstance(keys, np.ndarray):
        return pd.Index(keys)
    return pd.Index(keys.to_numpy(zero_copy_only=False), dtype=object)


def _any_null(column: Column) -> bool:
    return bool(column.is_null().any())
