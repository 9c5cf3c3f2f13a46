"""A table in Parquet files, read a few megabytes at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from seatrial.errors import UsageError

BATCH_BYTES = 24 * 2**20  # of one side that are decoded at once
BATCH_ROWS = 2**18
PART_BYTES = 64 * 2**20  # of one side that are worked on at one place
_TEXT_BYTES = 32  # a cell whose width its type does not tell


@dataclass(frozen=True)
class Dataset:
    """Parquet files that together are one table.

    Attributes:
        files: of the table, in the order of its rows.
        schema: its columns, with the types they are read as.
        rows: how many it has.
        groups: how many rows each row group has, file by file.
        nulls: the columns without any value, as the files' statistics tell.
    """

    files: tuple[Path, ...]
    schema: pa.Schema
    rows: int
    groups: tuple[tuple[int, ...], ...]
    nulls: frozenset[str] = frozenset()

    def ranges(self, names: Sequence[str], part_bytes: int = PART_BYTES) -> list[range]:
        """Return all rows in ranges that begin with a row group, cut by what the files are and by nothing else.

        Args:
            names: the columns that are read, whose width tells how many rows make a range.
            part_bytes: how many bytes they have there at least.
        """
        least = part_bytes // row_bytes(self._only(names))
        found, start, stop = [], 0, 0
        for rows in (rows for groups in self.groups for rows in groups):
            stop += rows
            if stop - start >= least:
                found.append(range(start, stop))
                start = stop
        return [*found, range(start, stop)] if stop > start else found

    def batches(self, names: Sequence[str], within: range | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some columns in order, the next batch decoded while one is worked on.

        Args:
            names: the columns.
            within: the rows; all by default.
        """
        read = self._batches(names, range(self.rows) if within is None else within)
        if pa.cpu_count() < 2:  # as in a Dask worker, of which there is one a core
            yield from read
            return
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(next, read, None)
            while (batch := coming.result()) is not None:
                coming = pool.submit(next, read, None)
                yield batch

    def _batches(self, names: Sequence[str], within: range) -> Iterator[pa.RecordBatch]:
        wanted = self._only(names)
        rows = min(BATCH_ROWS, max(1, BATCH_BYTES // row_bytes(wanted)))
        begin = 0
        for file, groups in zip(self.files, self.groups, strict=True):
            ends = begin + np.cumsum((0, *groups))
            begin = int(ends[-1])
            chosen = np.flatnonzero((ends[1:] > within.start) & (ends[:-1] < within.stop)).tolist()
            if not chosen:
                continue
            at = int(ends[chosen[0]])
            with pq.ParquetFile(file, pre_buffer=False) as parquet:
                for batch in parquet.iter_batches(rows, row_groups=chosen, columns=list(names)):
                    cut = batch[max(0, within.start - at) : max(0, within.stop - at)]
                    at += batch.num_rows
                    if cut.num_rows:
                        yield cut.select(list(names)) if cut.schema.equals(wanted) else _as(cut, wanted)

    def _only(self, names: Sequence[str]) -> pa.Schema:
        return pa.schema([self.schema.field(name) for name in names])

    def empty(self, names: Sequence[str]) -> pd.DataFrame:
        """Return those of the columns that it has as a frame without a row."""
        return frame(pa.schema([field for field in self.schema if field.name in names]).empty_table())

    def borrowing(self, other: Dataset) -> Dataset:
        """Return it with the types of ``other`` for its columns of nulls alone, which have no type of their own."""
        fields = []
        for field in self.schema:
            at = other.schema.get_field_index(field.name)
            bare = at >= 0 and field.name in self.nulls
            lends = bare and (pa.types.is_null(field.type) or field.name not in other.nulls)
            fields.append(field.with_type(other.schema.field(at).type) if lends else field)
        return replace(self, schema=pa.schema(fields))


def dataset(path: Path) -> Dataset:
    """Return a Parquet file, or the Parquet files of a folder in the order of their names, as one table.

    Raises:
        UsageError: there is none, one cannot be read, or they differ in their columns.
    """
    files = sorted(p for p in path.rglob("*.parquet") if p.is_file()) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"'{path}' holds no file whose name ends with .parquet.")
    schema, groups, valued = None, [], set()
    for file in files:
        try:
            with pq.ParquetFile(file) as parquet:
                found, metadata = parquet.schema_arrow.remove_metadata(), parquet.metadata
        except (pa.ArrowException, OSError) as error:
            raise UsageError(f"'{file}' cannot be read: {str(error).strip().splitlines()[0]}") from error
        if schema is None:
            schema = found
        elif not _alike(schema, found):
            raise UsageError(
                f"'{file}' has other columns, or columns of other types, than '{files[0]}'. The files of one table "
                "have the same."
            )
        groups.append(tuple(metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)))
        valued |= _valued(metadata)
    assert schema is not None
    rows = sum(map(sum, groups))
    return Dataset(tuple(files), schema, rows, tuple(groups), frozenset(schema.names) - valued if rows else frozenset())


def frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame that keeps its types."""
    found: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
    return found


def row_bytes(schema: pa.Schema) -> int:
    """Return about how many bytes a row has in memory."""
    total = 0
    for field in schema:
        try:
            total += max(1, field.type.bit_width // 8)
        except ValueError:
            total += _TEXT_BYTES * max(1, field.type.num_fields)
    return max(1, total)


def _alike(one: pa.Schema, other: pa.Schema) -> bool:
    return dict(zip(one.names, one.types, strict=True)) == dict(zip(other.names, other.types, strict=True))


def _valued(metadata: Any) -> set[str]:
    """Return the columns that have a value, or may have one."""
    found = set()
    for group in range(metadata.num_row_groups):
        for at in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(at)
            known = chunk.statistics
            if known is None or not known.has_null_count or known.null_count < chunk.num_values:
                found.add(chunk.path_in_schema.partition(".")[0])
    return found


def _as(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [
            batch.column(field.name) if batch.column(field.name).type == field.type
            else pa.nulls(batch.num_rows, field.type)
            for field in wanted
        ],
        schema=wanted,
    )  # fmt: skip
