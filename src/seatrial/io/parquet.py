"""Frames as Parquet that keeps what Parquet alone would lose: whole categorical types, lists and mappings."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import ReferenceInvalid
from seatrial.io.exact_json import to_json

_CATEGORIES, _OBJECTS, _MAPPINGS = b"seatrial.categories:", b"seatrial.objects", b"seatrial.mappings"

MAX_CELLS = 500_000_000  # rows × columns of one frame; a footer's own sizes cannot be trusted


def write_frame(frame: pd.DataFrame, path: Path, what: str) -> None:
    """Write a frame as Parquet that reads fast: no compression, a dictionary for text alone, the index left out.

    Raises:
        ReferenceInvalid: naming the column that holds values Parquet cannot carry (such as mixed types).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        texts = {c: _json_cells(frame[c]) for c in frame.columns if _holds_mappings(frame[c])}
        table = pa.Table.from_pandas(frame.assign(**texts), preserve_index=False)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **_beside(frame, table, list(texts))})
    except (TypeError, ValueError, NotImplementedError) as error:  # what pyarrow raises is one of these too
        column = next((str(c) for c in frame.columns if not _carries(frame[c])), "?")
        raise ReferenceInvalid(
            f"Column '{column}' of {what} cannot be kept as Parquet: it mixes types, or holds intervals, text that is "
            "not Unicode, or other Python objects. Give it one plain type in the stage that makes it."
        ) from error
    text: Any = [f.name for f in table.schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    pq.write_table(table, path, compression="none", use_dictionary=text or False)


def read_frame(path: Path) -> pd.DataFrame:
    """Read a Parquet file written by :func:`write_frame`; refuse one that would not fit in memory.

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
            kept = file.schema_arrow.metadata or {}
            table = file.read(use_threads=True)
            frame: pd.DataFrame = table.to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        raise ReferenceInvalid(f"{path} cannot be read as Parquet: {type(error).__name__}.") from error
    try:
        for c in json.loads(kept.get(_OBJECTS, b"[]")):
            frame[c] = pd.Series(table[c].to_pylist(), index=frame.index, dtype=object)
        for c in json.loads(kept.get(_MAPPINGS, b"[]")):
            cells = [None if text is None else json.loads(text) for text in table[c].to_pylist()]
            frame[c] = pd.Series(cells, index=frame.index, dtype=object)
        for c in frame.columns:
            if packed := kept.get(_CATEGORIES + str(c).encode()):
                dtype = _unpacked(packed)  # a cast alone would not reorder: without order, types are equal as sets
                frame[c] = frame[c].astype("category").cat.set_categories(dtype.categories, ordered=dtype.ordered)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ReferenceInvalid(f"{path} has column types that cannot be read: {type(error).__name__}.") from error
    return frame


def _beside(frame: pd.DataFrame, table: Any, mappings: list[str]) -> dict[bytes, bytes]:
    """Return what Parquet itself would lose: whole categorical types, and cells that are Python's own objects.

    Read back plainly, a list would be an array, and integers beside a null would be floats.
    """
    import pyarrow.types as kinds

    def lossy(name: str, kind: Any) -> bool:
        lists = kinds.is_list(kind) and not isinstance(next(iter(frame[name].dropna()), None), np.ndarray)
        return _is_object(frame[name]) and (lists or kinds.is_integer(kind) or kinds.is_floating(kind))

    objects = [field.name for field in table.schema if lossy(field.name, field.type)]
    categorical = {c: t for c, t in frame.dtypes.items() if isinstance(t, pd.CategoricalDtype)}
    packed = {_CATEGORIES + str(c).encode(): _packed(t) for c, t in categorical.items()}
    return packed | {_OBJECTS: json.dumps(objects).encode(), _MAPPINGS: json.dumps(mappings).encode()}


def _packed(dtype: Any) -> bytes:
    """Return a categorical type as base64 of an Arrow stream.

    Parquet keeps the categories that occur, in the order they occur in, and the type itself for text alone.
    """
    import pyarrow as pa

    if isinstance(dtype.categories, pd.IntervalIndex):
        raise TypeError("Parquet cannot carry intervals")
    table = pa.Table.from_pandas(pd.DataFrame({"categories": dtype.categories}), preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, "ordered": str(bool(dtype.ordered))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue().to_pybytes())


def _unpacked(packed: bytes) -> pd.CategoricalDtype:
    import pyarrow as pa

    with pa.ipc.open_stream(base64.b64decode(packed)) as reader:
        table = reader.read_all()
    categories = pd.Index(table.to_pandas()["categories"]).rename(None)
    return pd.CategoricalDtype(categories, ordered=table.schema.metadata[b"ordered"] == b"True")


def _is_object(column: pd.Series) -> bool:
    return bool(pd.api.types.is_object_dtype(column.dtype))


def _holds_mappings(column: pd.Series) -> bool:
    """Return whether cells are mappings, or lists of them: Parquet would give each of them the fields of all."""
    known = column.dropna() if _is_object(column) else []
    first = next(iter(known), None)
    if isinstance(first, list):
        return any(isinstance(v, dict) for cell in known if isinstance(cell, list) for v in cell)
    return isinstance(first, dict)


def _json_cells(column: pd.Series) -> pd.Series:
    return column.map(to_json, na_action="ignore").astype("string")


def _carries(column: pd.Series) -> bool:
    import pyarrow as pa

    if isinstance(getattr(column.dtype, "categories", None), pd.IntervalIndex):
        return False
    try:
        cells = _json_cells(column) if _holds_mappings(column) else column
        pa.Table.from_pandas(pd.DataFrame({"cells": cells}), preserve_index=False)
    except (TypeError, ValueError, NotImplementedError):
        return False
    return True
