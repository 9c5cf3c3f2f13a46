"""Frames as Arrow tables that keep what Arrow alone would lose: whole categorical types, lists and mappings."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as kinds

from seatrial.errors import ReferenceInvalid
from seatrial.io.arrow_stream import read_table
from seatrial.io.exact_json import to_json
from seatrial.io.list_nans import with_nans

MAX_CATEGORIES = 100_000_000  # of one type
_CATEGORIES, _OBJECTS, _MAPPINGS = b"seatrial.categories:", b"seatrial.objects", b"seatrial.mappings"
_HALVES = b"seatrial.float16"  # Parquet has them since pyarrow 15
_NAT = np.iinfo(np.int64).min
_KEEPS_UNITS = int(pa.__version__.partition(".")[0]) >= 13  # before it, every timestamp is read as nanoseconds


def to_table(frame: pd.DataFrame, what: str) -> Any:
    """Return a frame as an Arrow table, the index left out.

    Raises:
        ReferenceInvalid: naming the column that holds values Arrow cannot carry (such as mixed types).
    """
    try:
        texts = {c: _json_cells(frame[c]) for c in frame.columns if _holds_mappings(frame[c])}
        halves = {c: frame[c].astype("float32") for c, t in frame.dtypes.items() if t == "float16"}
        table = with_nans(pa.Table.from_pandas(frame.assign(**texts, **halves), preserve_index=False), frame)
        beside = _beside(frame, table) | {_MAPPINGS: _names(texts), _HALVES: _names(halves)}
        return table.replace_schema_metadata({**(table.schema.metadata or {}), **beside})
    except (TypeError, ValueError, NotImplementedError) as error:  # what pyarrow raises is one of these too
        column = next((str(c) for c in frame.columns if not _carries(frame[c])), "?")
        raise ReferenceInvalid(
            f"Column '{column}' of {what} cannot be kept as Parquet: it mixes types, or holds intervals, text that is "
            "not Unicode, or other Python objects. Give it one plain type in the stage that makes it."
        ) from error


def from_table(table: Any, where: object) -> pd.DataFrame:
    """Return the frame of a table made by :func:`to_table`; ``where`` it was read from is for messages.

    Raises:
        ReferenceInvalid: its column types cannot be read.
    """
    kept = table.schema.metadata or {}
    try:
        frame = _to_pandas(table)
        for c in json.loads(kept.get(_OBJECTS, b"[]")):
            frame[c] = pd.Series(table[c].to_pylist(), index=frame.index, dtype=object)
        for c in json.loads(kept.get(_MAPPINGS, b"[]")):
            cells = [None if text is None else json.loads(text) for text in table[c].to_pylist()]
            frame[c] = pd.Series(cells, index=frame.index, dtype=object)
        for c in json.loads(kept.get(_HALVES, b"[]")):
            frame[c] = frame[c].astype("float16")
        for c in frame.columns:
            if packed := kept.get(_CATEGORIES + str(c).encode()):
                dtype = _unpacked(packed)  # a cast alone would not reorder: without order, types are equal as sets
                frame[c] = frame[c].astype("category").cat.set_categories(dtype.categories, ordered=dtype.ordered)
    except Exception as error:  # metadata may hold anything
        raise ReferenceInvalid(f"{where} has column types that cannot be read: {type(error).__name__}.") from error
    return frame


def _to_pandas(table: Any) -> pd.DataFrame:
    """Return the table's frame, its timestamps in their own units: the years that nanoseconds reach are few."""
    coarse = [f for f in table.schema if kinds.is_timestamp(f.type) and f.type.unit != "ns" and not _KEEPS_UNITS]
    frame: pd.DataFrame = table.drop([f.name for f in coarse]).to_pandas() if coarse else table.to_pandas()
    for field in coarse:
        ticks = table[field.name].cast(pa.int64()).fill_null(_NAT).to_numpy()
        instants = pd.Series(ticks.view(f"M8[{field.type.unit}]"), index=range(len(table)))
        zone = field.type.tz
        cells = instants.dt.tz_localize("UTC").dt.tz_convert(pa.lib.string_to_tzinfo(zone)) if zone else instants
        frame.insert(table.column_names.index(field.name), field.name, cells)
    return frame


def _names(columns: Iterable[str]) -> bytes:
    return json.dumps(list(columns)).encode()


def _beside(frame: pd.DataFrame, table: Any) -> dict[bytes, bytes]:
    """Return what Parquet itself would lose: whole categorical types, and cells that are Python's own objects.

    Read back plainly, a list would be an array, and integers beside a null would be floats.
    """

    def lossy(name: str, kind: Any) -> bool:
        lists = kinds.is_list(kind) and not isinstance(next(iter(frame[name].dropna()), None), np.ndarray)
        return _is_object(frame[name]) and (lists or kinds.is_integer(kind) or kinds.is_floating(kind))

    objects = [field.name for field in table.schema if lossy(field.name, field.type)]
    categorical = {c: t for c, t in frame.dtypes.items() if isinstance(t, pd.CategoricalDtype)}
    packed = {_CATEGORIES + str(c).encode(): _packed(t) for c, t in categorical.items()}
    return packed | {_OBJECTS: _names(objects)}


def _packed(dtype: Any) -> bytes:
    """Return a categorical type as base64 of an Arrow stream.

    Parquet keeps the categories that occur, in the order they occur in, and the type itself for text alone.
    """
    if isinstance(dtype.categories, pd.IntervalIndex):
        raise TypeError("Parquet cannot carry intervals")
    table = pa.Table.from_pandas(pd.DataFrame({"categories": dtype.categories}), preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, "ordered": str(bool(dtype.ordered))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue().to_pybytes())


def _unpacked(packed: bytes) -> pd.CategoricalDtype:
    table = read_table(pa.BufferReader(base64.b64decode(packed)), MAX_CATEGORIES)
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
    if isinstance(getattr(column.dtype, "categories", None), pd.IntervalIndex):
        return False
    try:
        cells = _json_cells(column) if _holds_mappings(column) else column
        pa.Table.from_pandas(pd.DataFrame({"cells": cells}), preserve_index=False)
    except (TypeError, ValueError, NotImplementedError):
        return False
    return True
