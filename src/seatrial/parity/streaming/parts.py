"""Rows of two tables that belong together: in step where both are in one order, else by the hash of their keys."""

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
    expected: Dataset, actual: Dataset, names: tuple[Sequence[str], Sequence[str]], key: Sequence[str]
) -> Iterator[Part]:
    """Yield the rows of two tables in order, as long as their keys are the same and ascend, so that none repeats.

    Raises:
        KeysPartError: they do not.
    """
    if expected.rows != actual.rows or len(key) != 1:
        raise KeysPartError
    start, last = 0, None
    for e, a in _together(expected.batches(names[0]), actual.batches(names[1])):
        keys = e.column(key[0])
        if keys.null_count or not keys.equals(a.column(key[0])):
            raise KeysPartError
        read = of_arrow(keys)
        if not _ascends(read) or (last is not None and not _ascends(of_arrow(pa.concat_arrays([last, keys[:1]])))):
            raise KeysPartError
        last = keys[-1:]
        at = range(start, start + len(keys))
        start = at.stop
        yield Part(e, a, at, at)


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


def _ascends(keys: Column) -> bool:
    if keys.kind in ("instant", "span") or (keys.kind == "number" and keys.values.dtype.kind in "iu"):
        return bool(np.all(keys.values[1:] > keys.values[:-1]))
    if keys.logical == "string" and keys.kind == "arrow":
        return pc.all(pc.less(keys.values[:-1], keys.values[1:])).as_py() is not False
    return False
