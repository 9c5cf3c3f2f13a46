"""Frames as Parquet files that read fast and come back with the types they had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import ReferenceInvalid
from seatrial.io import arrow, aside

VERSION: Any = "2.6"  # of the format; before it, and by default until pyarrow 13, nanoseconds are cut to microseconds
MAX_CELLS = 500_000_000  # rows × columns of one frame; a footer's own sizes cannot be trusted


def write_frame(frame: pd.DataFrame, path: Path, what: str) -> None:
    """Write a frame as Parquet that reads fast: no compression, a dictionary for text alone, the index left out.

    Cells of a megabyte and more are files of their own in the folder ``cells`` beside it.

    Raises:
        ReferenceInvalid: naming the column, the type in it that cannot be kept, and what to return instead.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    table = aside.put_aside(arrow.to_table(frame, what), path.parent / aside.FOLDER)
    text: Any = [f.name for f in table.schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    try:
        pq.write_table(table, path, version=VERSION, compression="none", use_dictionary=text or False)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:  # its message names a type, and no value
        raise ReferenceInvalid(
            f"pyarrow {pa.__version__} cannot keep {what} as Parquet: {error}. "
            "Give the column another type in the stage that makes it, or use a newer pyarrow."
        ) from error


def read_frame(path: Path, *, read_only: bool = False) -> pd.DataFrame:
    """Read a Parquet file written by :func:`write_frame`; refuse one that would not fit in memory.

    Args:
        path: the file.
        read_only: nothing is written into the frame itself; it is read faster then.

    Raises:
        ReferenceInvalid: not Parquet, or more than ``MAX_CELLS`` cells.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            cells = file.metadata.num_rows * max(file.metadata.num_columns, 1)
            if cells > MAX_CELLS:
                raise ReferenceInvalid(f"{path.name} holds {cells:,} cells; at most {MAX_CELLS:,} are read.")
            table = file.read(use_threads=True).replace_schema_metadata(file.schema_arrow.metadata)
    except (pa.ArrowInvalid, OSError) as error:
        raise ReferenceInvalid(f"{path} cannot be read as Parquet: {type(error).__name__}.") from error
    return arrow.from_table(aside.put_back(table, path.parent / aside.FOLDER), path, read_only=read_only)
