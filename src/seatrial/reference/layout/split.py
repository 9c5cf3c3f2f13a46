"""Rows parted by the hash of the key of their request: all rows of a request are in one partition, at every stage."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from seatrial.errors import PipelineError, nearest
from seatrial.parity.reading import column
from seatrial.parity.streaming.hashing import Way, hashes
from seatrial.parity.streaming.tables import Dataset, dataset, row_bytes

PART_BYTES = 64 * 2**20  # of requests in one partition, about
PART_ROWS = 250_000  # in one partition, about: a stage may make many columns of few
MOST = 512  # partitions; each is an open file while the requests are parted
Positions = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Parting:
    """Which partition a request is in: by the hash of its key.

    Attributes:
        count: how many values the hash takes.
        kept: those that some request has, ascending: one partition each.
    """

    count: int
    kept: tuple[int, ...]

    def of(self, keys: pd.DataFrame) -> Positions:
        """Return the partition of each row, from 0; equal keys are in one, and unknown ones in some.

        Example:
            >>> Parting(2, (0, 1)).of(pd.DataFrame({"id": ["t-1", "t-2", "t-1"]})).tolist()
            [1, 0, 1]
        """
        return np.minimum(np.searchsorted(np.array(self.kept), hashed(keys, self.count)), len(self.kept) - 1)

    def parts(self, frame: pd.DataFrame, key: Sequence[str], types: Sequence[Any]) -> list[pd.DataFrame]:
        """Return the rows of each partition of a stage's frame, in the order of the frame, with an index of their own.

        Args:
            frame: what a stage returned for the requests of all partitions.
            key: the columns of the key of the requests.
            types: theirs in the reference; keys of other types are converted where they can be.
        """
        keys = frame[list(key)]
        with contextlib.suppress(ValueError, TypeError):  # such keys match none, and the comparison says so
            keys = keys.astype(dict(zip(key, types, strict=True)))
        order, ends = _in_turn(self.of(keys), len(self.kept))
        found = [frame.iloc[order[begin:end]] for begin, end in itertools.pairwise(ends)]
        return [part.reset_index(drop=True) for part in found]


def hashed(keys: pd.DataFrame, count: int) -> Positions:
    """Return a number from 0 to ``count`` for each row: equal keys have the same on every release of pandas."""
    read = [column(keys[name]) for name in keys.columns]
    ways: list[Way] = ["float" if c.kind == "number" and c.values.dtype.kind == "f" else "own" for c in read]
    return np.asarray(hashes(read, ways) % np.uint64(count)).astype(np.int64)


def _in_turn(numbers: Positions, count: int) -> tuple[Positions, Positions]:
    """Return the rows in the order of their partitions, and where each of those begins and ends."""
    order = np.argsort(numbers, kind="stable")
    return order, np.searchsorted(numbers[order], np.arange(count + 1))


@dataclass(frozen=True)
class PartedRequests:
    """Requests in files, one a partition.

    Attributes:
        files: Arrow files; none is empty.
        parting: which request is in which.
        metadata: of the schema of the files that they came from, which says how pandas held the columns.
        rows: how many there are.
    """

    files: tuple[Path, ...]
    parting: Parting
    metadata: dict[bytes, bytes]
    rows: int

    def frame(self, number: int) -> pd.DataFrame:
        """Return the requests of a partition, as ``pandas.read_parquet`` reads them, with an index of their own."""
        with pa.memory_map(str(self.files[number])) as source, pa.ipc.open_file(source) as reader:
            table = reader.read_all().replace_schema_metadata(self.metadata)
        frame: pd.DataFrame = table.to_pandas()
        named = any(name is not None for name in frame.index.names)
        return frame.reset_index() if named else frame.reset_index(drop=True)


def part_requests(path: Path, key: Sequence[str], partitions: int | None, folder: Path) -> PartedRequests:
    """Write the requests of a Parquet file, or of the Parquet files of a folder, into one file for each partition.

    A few megabytes of them are in memory at a time. A partition that no request falls into is left out.

    Args:
        path: the file or folder.
        key: the columns that name a request.
        partitions: how many; by default so many that one has about 64 MB and at most about 250,000 rows.
        folder: where the files are written.

    Raises:
        UsageError: there is no such file, or it is no Parquet.
        PipelineError: the files lack the key, hold no row, or ``partitions`` is out of range.
    """
    data = dataset(path)
    if missing := [name for name in key if name not in data.schema.names]:
        raise PipelineError(
            f"The requests at {path} have no column '{missing[0]}': to part them by request, capture needs their key. "
            f"Columns: {', '.join(data.schema.names)}.{nearest(missing[0], data.schema.names)} Write the key into the "
            "files, or capture a frame of requests."
        )
    if not data.rows:
        raise PipelineError(f"{path} holds no request rows; a reference of nothing would pass anything.")
    count = _count(data) if partitions is None else partitions
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST:
        raise PipelineError(f"capture(partitions={partitions!r}): give a whole number, 1 to {MOST}.")
    metadata = pq.read_schema(data.files[0]).metadata or {}
    files = _split(data, key, count, folder)
    return PartedRequests(tuple(files.values()), Parting(count, tuple(files)), metadata, data.rows)


def _count(data: Dataset) -> int:
    by_size, by_rows = -(-data.rows * row_bytes(data.schema) // PART_BYTES), -(-data.rows // PART_ROWS)
    return min(MOST, max(by_size, by_rows))


def _split(data: Dataset, key: Sequence[str], count: int, folder: Path) -> dict[int, Path]:
    """Write the rows, and return the files that have some, by their number."""
    folder.mkdir()
    files = [folder / f"{n:05d}.arrow" for n in range(count)]
    filled = np.zeros(count, dtype=np.int64)
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(pa.ipc.new_file(str(file), data.schema)) for file in files]
        for batch in data.batches(data.schema.names):
            order, ends = _in_turn(hashed(batch.select(list(key)).to_pandas(), count), count)
            rows = batch.take(pa.array(order))
            for n in np.flatnonzero(np.diff(ends)):
                writers[n].write_batch(rows[ends[n] : ends[n + 1]])
            filled += np.diff(ends)
    return {n: file for n, file in enumerate(files) if filled[n]}
