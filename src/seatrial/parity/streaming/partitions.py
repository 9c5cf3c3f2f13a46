"""A table split by the hash of its keys into files that fit in memory, each row with its position."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from seatrial.errors import UsageError
from seatrial.parity.alignment import Alignment
from seatrial.parity.columns import Array, Column, of_arrow
from seatrial.parity.streaming.parts import Part, places
from seatrial.parity.streaming.tables import Dataset, row_bytes

PART_BYTES = 96 * 2**20  # of one side
MOST = 512  # partitions: each is an open file of each side
POSITION = "\0position"  # no column of a file has this name


def by_hash(
    expected: Dataset, actual: Dataset, names: tuple[Sequence[str], Sequence[str]], key: Sequence[str], folder: Path
) -> Iterator[Part]:
    """Yield the rows of two tables in parts: every row of one key is in one part, in the order of its table.

    Args:
        expected: the first table.
        actual: the second one.
        names: the columns that are read of each, the key among them.
        key: its columns.
        folder: where the parts are kept meanwhile.

    Raises:
        UsageError: the disk has no room for them.
    """
    sides = (expected, actual)
    schemas = [pa.schema([side.schema.field(n) for n in wanted]) for side, wanted in zip(sides, names, strict=True)]
    needed = [side.rows * (row_bytes(schema) + 8) for side, schema in zip(sides, schemas, strict=True)]
    free = shutil.disk_usage(folder).free
    if sum(needed) > free:
        raise UsageError(
            f"The rows are not in one order, and to pair them {sum(needed) / 1e9:,.1f} GB are written to {folder}. "
            f"Only {free / 1e9:,.1f} GB are free there: set TMPDIR to a folder with more room, or sort both tables by "
            "their key."
        )
    count = min(MOST, 1 + max(needed) // PART_BYTES)
    floats = [any(pa.types.is_floating(schema.field(name).type) for schema in schemas) for name in key]
    files = [
        _split(side, wanted, key, floats, count, folder / which)
        for side, wanted, which in zip(sides, names, ("expected", "actual"), strict=True)
    ]
    for e, a in zip(*files, strict=True):
        (was, at_expected), (now, at_actual) = _read(e), _read(a)
        yield Part(was, now, at_expected, at_actual)
        e.unlink()
        a.unlink()


def _split(
    side: Dataset, names: Sequence[str], key: Sequence[str], floats: Sequence[bool], count: int, folder: Path
) -> list[Path]:
    folder.mkdir()
    schema = pa.schema([*(side.schema.field(name) for name in names), pa.field(POSITION, pa.int64())])
    files = [folder / f"{n}.arrow" for n in range(count)]
    start = 0
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(pa.ipc.new_file(str(file), schema)) for file in files]
        for batch in side.batches(names):
            at = pa.array(np.arange(start, start + batch.num_rows))
            start += batch.num_rows
            placed = pa.RecordBatch.from_arrays([*batch.columns, at], schema=schema)
            ids = (_hashes([of_arrow(batch.column(name)) for name in key], floats) % count).astype(np.uint16)
            order = np.argsort(ids, kind="stable")
            ends = np.searchsorted(ids[order], np.arange(count + 1))
            sorted_rows = placed.take(pa.array(order))
            for writer, begin, end in zip(writers, ends[:-1], ends[1:], strict=True):
                if end > begin:
                    writer.write_batch(sorted_rows[begin:end])
    return files


def _read(file: Path) -> tuple[pa.RecordBatch, Array]:
    with pa.memory_map(str(file)) as source, pa.ipc.open_file(source) as reader:
        table = reader.read_all().combine_chunks()
    batches = table.to_batches()
    batch = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
    return batch.select(batch.schema.names[:-1]), batch.column(POSITION).to_numpy()


def _hashes(keys: Sequence[Column], floats: Sequence[bool]) -> Array:
    """Return a number for each row that is the same wherever the key is, whatever the types of the two sides."""
    found = np.zeros(len(keys[0]), dtype=np.uint64)
    for column, as_float in zip(keys, floats, strict=True):
        with np.errstate(over="ignore"):
            found = found * np.uint64(0x9E3779B97F4A7C15) ^ _hash(column, as_float=as_float)
    return found ^ (found >> np.uint64(29))


def _hash(keys: Column, *, as_float: bool) -> Array:
    if keys.kind == "number" and (as_float or keys.values.dtype.kind in "iub"):
        values = keys.values.astype(np.float64) + 0.0 if as_float else keys.values.astype(np.int64)
        return np.asarray(pd.util.hash_array(values))
    if keys.kind == "arrow" and keys.logical == "string":
        return np.asarray(pd.util.hash_array(keys.objects(), categorize=False))
    return np.fromiter((hash(cell) & 0x7FFF_FFFF_FFFF_FFFF for cell in keys.objects()), np.uint64, len(keys))


class Order:
    """Whether the rows that two tables share are in one order, from parts that come in any."""

    def __init__(self, folder: Path) -> None:
        self.in_order = True
        self._folder = folder
        self._count = 0

    def add(self, part: Part, rows: Alignment) -> None:
        """Add a part, and which of its rows belong together."""
        if not self.in_order or isinstance(part.at_expected, range):  # those are in one order by themselves
            return
        expected = part.at_expected if rows.expected is None else places(part.at_expected, rows.expected)
        actual = np.asarray(part.at_actual) if rows.actual is None else places(part.at_actual, rows.actual)
        self.in_order = bool(np.all(actual[1:] > actual[:-1]))
        np.save(self._folder / f"order-{self._count}.npy", np.stack([expected, actual]))
        self._count += 1

    def settled(self, rows: int, step: int = 2**22) -> bool:
        """Whether they are, in a table of so many rows: looked at a range after the other."""
        kept = [np.load(self._folder / f"order-{n}.npy", mmap_mode="r") for n in range(self._count)]
        last = -1
        for begin in range(0, rows if self.in_order else 0, step):
            within = [k[:, slice(*np.searchsorted(k[0], (begin, begin + step)))] for k in kept]
            pairs = np.concatenate(within, axis=1) if within else np.empty((2, 0), dtype=np.int64)
            to = pairs[1][np.argsort(pairs[0])]
            if len(to) and (to[0] < last or np.any(np.diff(to) < 0)):
                return False
            last = int(to[-1]) if len(to) else last
        return self.in_order
