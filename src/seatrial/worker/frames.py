"""Frames as Arrow streams in a file, one after the other; the reader trusts neither sizes nor buffers."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from seatrial.errors import ReferenceInvalid
from seatrial.io import arrow
from seatrial.io.arrow_stream import read_table

MAX_BYTES = 8 * 2**30  # of one file
MAX_CELLS = 500_000_000  # of one frame: rows × columns, and what lists hold


def write(frames: Sequence[pd.DataFrame], path: Path) -> None:
    """Write frames; their indexes are left out.

    Raises:
        ReferenceInvalid: naming the column that holds values Arrow cannot carry.
    """
    with path.open("xb") as file:
        for frame in frames:
            append(frame, file, "a frame")


def append(frame: pd.DataFrame, file: BinaryIO, what: str) -> None:
    """Write one more frame at the end of a file; ``what`` it is goes into the message.

    Raises:
        ReferenceInvalid: as :func:`write` does; nothing is written then.
    """
    import pyarrow as pa

    table = arrow.to_table(frame, what)
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


def read(path: Path, count: int) -> Iterator[pd.DataFrame]:
    """Yield the frames of a file, whoever wrote it.

    Args:
        path: the file.
        count: how many frames it should hold.

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
        content = pa.BufferReader(file.read(status.st_size))  # once: whoever wrote it may write it again
    for _ in range(count):
        try:
            frame = arrow.from_table(read_table(content, MAX_CELLS), path.name)
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError) as error:
            reason = (
                str(error) if type(error) is ValueError else type(error).__name__
            )  # ours, or pyarrow's, with values
            raise ReferenceInvalid(f"{path.name} cannot be read as Arrow: {reason}.") from error
        yield frame
