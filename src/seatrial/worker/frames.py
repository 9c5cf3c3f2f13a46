"""Frames as Arrow streams in a file, one after the other; the reader trusts neither sizes nor buffers."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from seatrial.errors import ReferenceInvalid
from seatrial.io import arrow
from seatrial.io.arrow_stream import read_table

MAX_BYTES = 8 * 2**30  # of one file
MAX_CELLS = 500_000_000  # of one frame: rows × columns, and what lists hold
SMALL_ROWS, HELD_ROWS = 1_000, 20_000  # of a frame that shares a table, and of those that wait to be written
INDEX = "seatrial.index"  # in the attrs of a frame whose index, of integers, is handed over with it
_UNCHANGING = {str, bytes, int, float, bool, type(None), type(pd.NA), type(pd.NaT)}  # cells that nobody can write into
_CARRIED = (
    pd.BooleanDtype, pd.Int8Dtype, pd.Int16Dtype, pd.Int32Dtype, pd.Int64Dtype, pd.UInt8Dtype, pd.UInt16Dtype,
    pd.UInt32Dtype, pd.UInt64Dtype, pd.Float32Dtype, pd.Float64Dtype, pd.DatetimeTZDtype,
)  # fmt: skip
_LENGTHS, _INDEX = b"seatrial.lengths", b"seatrial.index"


class FrameWriter:
    """Writes frames to a file, one after the other; use it in a ``with`` block.

    Small frames that follow each other and agree in their columns and types share one table: probes send hundreds of
    single rows, and to make an Arrow table of each takes longer than what is done with it.

    Args:
        file: open for writing.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._held, self._rows = file, list[pd.DataFrame](), 0

    def add(self, frame: pd.DataFrame, what: str) -> None:
        """Write one more frame, its index left out unless it is marked; ``what`` it is goes into the message.

        Raises:
            ReferenceInvalid: naming the column that holds values Arrow cannot carry; the frame is left out then.
        """
        if frame.attrs.get(INDEX):
            self._flush()
            table = _table(frame, what)
            labels = json.dumps(frame.index.tolist()).encode()
            self._write(table.replace_schema_metadata({**table.schema.metadata, _INDEX: labels}))
            return
        copy = _copy(frame) if len(frame) <= SMALL_ROWS else None
        if copy is None:
            self._flush()
            self._write(_table(frame, what))
            return
        if self._held and (self._rows > HELD_ROWS or not _same_layout(self._held[0], frame)):
            self._flush()
        self._held.append(copy)
        self._rows += len(frame)

    def _flush(self) -> None:
        if not self._held:
            return
        held, self._held, self._rows = self._held, [], 0
        table = _table(held[0] if len(held) == 1 else pd.concat(held, ignore_index=True), "a frame")
        lengths = json.dumps([len(frame) for frame in held]).encode()
        self._write(table.replace_schema_metadata({**table.schema.metadata, _LENGTHS: lengths}))

    def _write(self, table: Any) -> None:
        import pyarrow as pa

        with pa.ipc.new_stream(self._file, table.schema) as writer:
            writer.write_table(table)

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()


class StageWriter:
    """Writes what consecutive stages return for several batches to a file: all frames of a stage, then of the next.

    The frames of a stage follow each other, so that small ones share a table; those that follow each other within a
    batch differ in their columns. Use it in a ``with`` block.

    Args:
        path: of the new file; where there are several batches, others stand beside it meanwhile.
        stages: how many there are.
        batches: how many there are.
    """

    def __init__(self, path: Path, stages: int, batches: int) -> None:
        self._path, self._open = path, ExitStack()
        further = range(1, stages) if batches > 1 else ()  # of one batch they are written in this order anyway
        self._beside = [path.with_name(f"{path.name}.{n}") for n in further]

    def add(self, frame: pd.DataFrame, stage: int, what: str) -> None:
        """Write a frame of a stage, by number; see :meth:`FrameWriter.add`."""
        self._writers[stage if self._beside else 0].add(frame, what)

    def __enter__(self) -> StageWriter:
        files = [self._open.enter_context(path.open("xb")) for path in (self._path, *self._beside)]
        self._writers = [self._open.enter_context(FrameWriter(file)) for file in files]
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)
        with self._path.open("ab") as file:
            for path in self._beside:
                with path.open("rb") as more:
                    shutil.copyfileobj(more, file)
                path.unlink()


def write(frames: Iterable[pd.DataFrame], path: Path) -> None:
    """Write frames to a new file; their indexes are left out.

    Raises:
        ReferenceInvalid: naming the column that holds values Arrow cannot carry.
    """
    with path.open("xb") as file, FrameWriter(file) as writer:
        for frame in frames:
            writer.add(frame, "a frame")


def _table(frame: pd.DataFrame, what: str) -> Any:
    return arrow.to_table(frame, what, nan_is_missing=False)


def _copy(frame: pd.DataFrame) -> pd.DataFrame | None:
    """Return a copy that stays as it is when the next stage writes into the frame, or into a cell of it.

    None where that cannot be had, or where a column's type does not say how its cells are carried.
    """
    copy = frame.copy()
    for place, kind in enumerate(frame.dtypes):
        if _is_plain(kind):
            continue
        if not isinstance(kind, np.dtype) or kind.kind != "O":
            return None
        cells = frame.iloc[:, place].to_numpy()
        found = set(map(type, cells))
        if found <= _UNCHANGING:
            continue
        if not found <= {list, *_UNCHANGING} or not all(
            set(map(type, cell)) <= _UNCHANGING for cell in cells if type(cell) is list
        ):
            return None
        apart = [list(cell) if type(cell) is list else cell for cell in cells]
        copy.isetitem(place, pd.Series(apart, index=frame.index, dtype=object))
    return copy


def _is_plain(kind: Any) -> bool:
    """Whether cells of a type are carried as they are, whatever they are."""
    if isinstance(kind, pd.CategoricalDtype):
        return _is_plain(kind.categories.dtype)
    if isinstance(kind, np.dtype):
        return kind.kind in "biufM"
    return isinstance(kind, _CARRIED) or getattr(kind, "storage", "") == "pyarrow"


def _same_layout(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    return a.attrs == b.attrs and a.columns.equals(b.columns) and all(map(_same_type, a.dtypes, b.dtypes))


def _same_type(a: Any, b: Any) -> bool:
    if isinstance(a, pd.CategoricalDtype):  # without order, types are equal as sets
        return bool(a == b and a.categories.equals(b.categories))
    return bool(a == b)


def read(path: Path, count: int, *, indexed: bool = False, read_only: bool = False) -> Iterator[pd.DataFrame]:
    """Yield the frames of a file, whoever wrote it.

    Args:
        path: the file.
        count: how many frames it should hold.
        indexed: give a frame the index that it was marked to be handed over with.
        read_only: nothing is written into the frames; they are read faster then.

    Raises:
        ReferenceInvalid: it is no regular file of that name, too large, not Arrow, or its buffers contradict each
            other.
    """
    import pyarrow as pa

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise ReferenceInvalid(f"{path.name} cannot be opened: {error.strerror}.") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device
            raise ReferenceInvalid(f"{path.name} is no regular file.")
        if status.st_size > MAX_BYTES:
            raise ReferenceInvalid(f"{path.name} has {status.st_size:,} bytes; at most {MAX_BYTES:,} are read.")
        memory = pa.allocate_buffer(status.st_size)  # Arrow's memory is used again: bytes would be new each time
        size = file.readinto(memory)  # once: whoever wrote it may write it again
        content = pa.BufferReader(memory.slice(0, size))
    left = count
    while left > 0:
        try:
            table = read_table(content, MAX_CELLS)
            lengths = _lengths(table, left)
            frame = arrow.from_table(table, path.name, read_only=read_only)
            if indexed and (labels := (table.schema.metadata or {}).get(_INDEX)):
                frame.index = pd.Index(json.loads(labels), dtype="int64")
            frame.attrs.pop(INDEX, None)
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError) as error:
            reason = (
                str(error) if type(error) is ValueError else type(error).__name__
            )  # ours, or pyarrow's, with values
            raise ReferenceInvalid(f"{path.name} cannot be read as Arrow: {reason}.") from error
        left -= len(lengths)
        begin = 0
        for length in lengths:
            whole = length == len(frame)
            yield frame if whole else frame.iloc[begin : begin + length].reset_index(drop=True)
            begin += length


def _lengths(table: Any, most: int) -> list[int]:
    """Return the rows of each frame that a table holds, of which there may be so many."""
    kept = (table.schema.metadata or {}).get(_LENGTHS)
    if kept is None:
        return [len(table)]
    lengths = json.loads(kept)
    if (
        not isinstance(lengths, list) or not 0 < len(lengths) <= most
        or not all(type(n) is int and n >= 0 for n in lengths) or sum(lengths) != len(table)
    ):  # fmt: skip
        raise ValueError("the lengths of its frames contradict its rows")
    return lengths
