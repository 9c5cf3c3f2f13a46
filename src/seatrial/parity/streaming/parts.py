"""Rows of two tables that belong together, and where they are in their tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seatrial.parity.columns import Array, Column, of_arrow
from seatrial.parity.streaming.tables import Dataset


@dataclass(frozen=True)
class Part:
    """Some rows of both tables, and where they are in them, ascending; every row of a key of theirs is in it."""

    expected: pa.RecordBatch
    actual: pa.RecordBatch
    at_expected: Array | range
    at_actual: Array | range


def places(at: Array | range, rows: Array) -> Array:
    """Return where some rows of a part are in its table."""
    return rows + at.start if isinstance(at, range) else at[rows]


def rows_at(at: Array | range, wanted: Array) -> Array:
    """Return the rows of a part that are at ascending places of its table, as far as it has them."""
    if isinstance(at, range):
        here = wanted[slice(*np.searchsorted(wanted, (at.start, at.stop)))]
        return here - at.start
    return np.flatnonzero(np.isin(at, wanted, assume_unique=True)) if len(wanted) else _NONE


_NONE = np.empty(0, dtype=np.int64)


class KeysPartError(Exception):
    """The keys of two tables are not the same in the same order."""


def in_step(
    expected: Dataset, actual: Dataset, names: tuple[Sequence[str], Sequence[str]], key: str, within: range
) -> Iterator[Part]:
    """Yield some rows of two tables in order, as long as their keys are the same and ascend, so that none repeats.

    Raises:
        KeysPartError: they do not.
    """
    start, last = within.start, None
    for e, a in _together(expected.batches(names[0], within), actual.batches(names[1], within)):
        keys = e.column(key)
        if keys.null_count or not keys.equals(a.column(key)) or not ascends(keys):
            raise KeysPartError
        if last is not None and not ascends(pa.concat_arrays([last, keys[:1]])):
            raise KeysPartError
        last = keys[-1:]
        at = range(start, start + len(keys))
        start = at.stop
        yield Part(e, a, at, at)
    if start != within.stop:
        raise KeysPartError


def _together(
    one: Iterator[pa.RecordBatch], other: Iterator[pa.RecordBatch]
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Cut the batches of two tables of the same length so that each pair has the same rows."""
    a, b = next(one, None), next(other, None)
    while a is not None and b is not None:
        rows = min(a.num_rows, b.num_rows)
        if rows:
            yield a[:rows], b[:rows]
        a = a[rows:] if rows < a.num_rows else next(one, None)
        b = b[rows:] if rows < b.num_rows else next(other, None)


def ascends(keys: pa.Array) -> bool:
    """Whether keys are of a type that has an order, and each is after the one before."""
    read = of_arrow(keys)
    if read.kind in ("instant", "span") or (read.kind == "number" and read.values.dtype.kind in "iu"):
        return bool(np.all(read.values[1:] > read.values[:-1]))
    return _is_text(read) and pc.all(pc.less(read.values[:-1], read.values[1:])).as_py() is not False


def _is_text(keys: Column) -> bool:
    return keys.logical == "string" and keys.kind == "arrow"
