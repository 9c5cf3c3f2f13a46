"""Tables split by the hash of their keys into files whose partitions fit in memory, each row with its position."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa

from seatrial.errors import UsageError
from seatrial.parity.columns import Array, of_arrow
from seatrial.parity.streaming.hashing import Way, hashes
from seatrial.parity.streaming.parts import Part
from seatrial.parity.streaming.tables import Dataset, row_bytes

MOST = 512  # partitions
POSITION = "\0position"  # no column of a file has this name


def count_of(sides: Sequence[Dataset], schemas: Sequence[pa.Schema], folder: Path, part_bytes: int) -> int:
    """Return into how many partitions of so many bytes of one side two tables are split, to files in a folder.

    Raises:
        UsageError: the disk has no room for them.
    """
    needed = [side.rows * (row_bytes(schema) + 8) for side, schema in zip(sides, schemas, strict=True)]
    free = shutil.disk_usage(folder).free
    if sum(needed) > free:
        raise UsageError(
            f"The rows are not in one order, and to pair them {sum(needed) / 1e9:,.1f} GB are written to {folder}. "
            f"Only {free / 1e9:,.1f} GB are free there: set TMPDIR to a folder with more room, or sort both tables by "
            "their key."
        )
    return min(MOST, 1 + max(needed) // part_bytes)


@dataclass(frozen=True)
class Split:
    """Writes rows of a table to a file, those of a partition together, each with its position.

    The file has the batches of the rows one after the other, each as one batch a partition.

    Attributes:
        side: the table.
        names: the columns that are read of it.
        key: those of them that make the key.
        how: how the numbers of each are read; see :mod:`seatrial.parity.streaming.hashing`.
        count: of partitions.
        folder: where the files are.
    """

    side: Dataset
    names: Sequence[str]
    key: Sequence[str]
    how: Sequence[Way]
    count: int
    folder: Path

    @property
    def schema(self) -> pa.Schema:
        """The columns of the file."""
        return pa.schema([*(self.side.schema.field(name) for name in self.names), pa.field(POSITION, pa.int64())])

    def __call__(self, within: range) -> Path:
        """Write some rows; a file that is written again is the same."""
        start, file = within.start, self.folder / f"{within.start}.arrow"
        beside = file.with_suffix(f".{uuid4().hex}")
        with pa.ipc.new_file(str(beside), self.schema) as writer:
            for batch in self._batches(within):
                at = pa.array(np.arange(start, start + batch.num_rows))
                start += batch.num_rows
                placed = pa.RecordBatch.from_arrays([*batch.columns, at], schema=self.schema)
                keys = [of_arrow(batch.column(name)) for name in self.key]
                ids = (hashes(keys, self.how) % self.count).astype(np.uint16)
                order = np.argsort(ids, kind="stable")
                ends = np.searchsorted(ids[order], np.arange(self.count + 1))
                sorted_rows = placed.take(pa.array(order))
                for begin, end in pairwise(ends):
                    writer.write_batch(sorted_rows[begin:end])
        return beside.replace(file)

    def _batches(self, within: range) -> Iterable[pa.RecordBatch]:
        batches = self.side.batches(self.names, within)
        if not any(pa.types.is_dictionary(field.type) for field in self.schema):
            return batches
        # A file has one dictionary of a column, and each row group has its own.
        table = pa.Table.from_batches(batches, pa.schema(list(self.schema)[:-1]))
        unified: list[pa.RecordBatch] = table.unify_dictionaries().to_batches()
        return unified


@dataclass(frozen=True)
class Partitions:
    """Two tables that were split: the files of both, each in the order of its table."""

    files: tuple[Sequence[Path], Sequence[Path]]
    schemas: tuple[pa.Schema, pa.Schema]
    count: int

    def part(self, number: int) -> Part:
        """Return the rows of one partition."""
        (was, at_expected), (now, at_actual) = (
            self._read(files, schema, number) for files, schema in zip(self.files, self.schemas, strict=True)
        )
        return Part(was, now, at_expected, at_actual)

    def _read(self, files: Sequence[Path], schema: pa.Schema, number: int) -> tuple[pa.RecordBatch, Array]:
        batches: list[pa.RecordBatch] = []
        for file in files:
            with pa.memory_map(str(file)) as source, pa.ipc.open_file(source) as reader:
                batches += map(reader.get_batch, range(number, reader.num_record_batches, self.count))
        table = pa.Table.from_batches(batches, schema).unify_dictionaries().combine_chunks()
        whole = table.to_batches()
        batch = whole[0] if whole else pa.RecordBatch.from_pylist([], schema=table.schema)
        return batch.select(batch.schema.names[:-1]), batch.column(POSITION).to_numpy()
