"""Frames as Arrow tables that keep what Arrow alone would lose: whole categorical types, cells of any kept type."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as kinds

from seatrial.errors import ReferenceInvalid
from seatrial.io.arrow_stream import read_table
from seatrial.io.cells import columns
from seatrial.io.cells.refusals import Unsupported

_CATEGORIES, _COLUMNS = b"seatrial.categories:", b"seatrial.columns"
_FORM = b"seatrial.form"  # what the stage returned, as pipeline/returned.py names it in the attributes of its frame
LONG = 100_000  # rows of a frame whose columns are worth a block each
_NAT = np.iinfo(np.int64).min
_KEEPS_UNITS = int(pa.__version__.partition(".")[0]) >= 13  # before it, every timestamp is read as nanoseconds


def to_table(frame: pd.DataFrame, what: str, *, nan_is_missing: bool = True) -> Any:
    """Return a frame as an Arrow table, the index left out.

    Args:
        frame: the frame.
        what: it is, for messages.
        nan_is_missing: a float that is no number is missing in the table; otherwise it stays as it is, to the bit, and
            no cell is looked at.

    Raises:
        ReferenceInvalid: naming the column, the type in it that cannot be kept, and what to return instead.
    """
    found = {name: _packed_column(column, what) for name, column in frame.items() if _may_change(column.dtype)}
    kept = {name: packed for name, packed in found.items() if packed is not None}
    if not nan_is_missing and len(set(map(str, frame.columns))) == len(frame.columns):
        kept |= {name: (pa.array(column.to_numpy()), None) for name, column in frame.items() if _is_float(column.dtype)}
    plain = frame.drop(columns=list(kept)) if kept else frame
    table = _plain_table(plain, what)
    beside = {
        **(table.schema.metadata or {}),
        **{_CATEGORIES + str(c).encode(): _packed(t) for c, t in plain.dtypes.items() if _is_categorical(t)},
        _COLUMNS: json.dumps({c: spec for c, (_, spec) in kept.items() if spec is not None}).encode(),
    }
    if form := frame.attrs.get("seatrial.form"):
        beside[_FORM] = str(form).encode()
    if kept:
        table = pa.table({str(c): kept[c][0] if c in kept else table[str(c)] for c in frame.columns})
    return table.replace_schema_metadata(beside)


def from_table(table: Any, where: object, *, read_only: bool = False) -> pd.DataFrame:
    """Return the frame of a table made by :func:`to_table`.

    Args:
        table: the table.
        where: it was read from, for messages.
        read_only: nothing is written into the frame itself, so that it may have the table's memory.

    Raises:
        ReferenceInvalid: its column types cannot be read.
    """
    kept = table.schema.metadata or {}
    try:
        specs: dict[str, Any] = json.loads(kept.get(_COLUMNS, b"{}"))
        frame = _to_pandas(table.drop([*specs]) if specs else table, split=read_only and len(table) >= LONG)
        for c in frame.columns:
            if packed := kept.get(_CATEGORIES + str(c).encode()):
                dtype = _unpacked(packed)  # a cast alone would not reorder: without order, types are equal as sets
                frame[c] = frame[c].astype("category").cat.set_categories(dtype.categories, ordered=dtype.ordered)
        if specs:
            index = pd.RangeIndex(len(table))
            frame = frame.set_axis(index) if len(frame.columns) else pd.DataFrame(index=index)
            made = {c: _series(columns.unpack(table[c], spec), index) for c, spec in specs.items()}
            frame = pd.concat([frame, pd.DataFrame(made, index=index)], axis=1)[table.column_names]
        if form := kept.get(_FORM):
            frame.attrs["seatrial.form"] = form.decode()
    except Exception as error:  # metadata may hold anything
        raise ReferenceInvalid(f"{where} has column types that cannot be read: {type(error).__name__}.") from error
    return frame


def _series(cells: Any, index: pd.Index) -> pd.Series:
    return pd.Series(cells, index=index, dtype=object if cells.dtype == object else None)  # no guess at the type


def _may_change(dtype: Any) -> bool:
    """Whether Arrow and pandas may not keep a column of this type: all but the usual numbers and times."""
    return (
        dtype.kind not in "biumM" and str(dtype) not in ("float64", "float32") if isinstance(dtype, np.dtype) else True
    )


def _is_float(dtype: Any) -> bool:
    return dtype in (np.dtype("float64"), np.dtype("float32"))


def _packed_column(column: pd.Series, what: str) -> columns.Packed | None:
    try:
        return columns.pack(column)
    except Unsupported as error:
        raise ReferenceInvalid(
            f"Column '{column.name}' of {what} holds {error.found}, which cannot be kept. {error.advice}"
        ) from error


def _plain_table(frame: pd.DataFrame, what: str) -> Any:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (TypeError, ValueError, NotImplementedError) as error:  # what pyarrow raises is one of these too
        column = next((c for c in frame.columns if not _carries(frame[c])), "?")
        dtype = frame.dtypes.get(column, "?")
        raise ReferenceInvalid(
            f"Column '{column}' of {what} has the type {dtype}, which pyarrow {pa.__version__} cannot keep. "
            "Convert it to another type in the stage that makes it."
        ) from error


def _is_categorical(dtype: Any) -> bool:
    return isinstance(dtype, pd.CategoricalDtype)


def _to_pandas(table: Any, *, split: bool) -> pd.DataFrame:
    """Return the table's frame, its timestamps in their own units: the years that nanoseconds reach are few.

    Split, each column is a block of its own: that of the table, which is not copied.
    """
    coarse = [f for f in table.schema if kinds.is_timestamp(f.type) and f.type.unit != "ns" and not _KEEPS_UNITS]
    frame: pd.DataFrame = table.drop([f.name for f in coarse]).to_pandas(split_blocks=split)
    for field in coarse:
        ticks = table[field.name].cast(pa.int64()).fill_null(_NAT).to_numpy()
        instants = pd.Series(ticks.view(f"M8[{field.type.unit}]"), index=range(len(table)))
        zone = field.type.tz
        cells = instants.dt.tz_localize("UTC").dt.tz_convert(pa.lib.string_to_tzinfo(zone)) if zone else instants
        frame.insert(table.column_names.index(field.name), field.name, cells)
    return frame


def _packed(dtype: Any) -> bytes:
    """Return a categorical type as base64 of an Arrow stream.

    Parquet keeps the categories that occur, in the order they occur in, and the type itself for text alone.
    """
    table = pa.Table.from_pandas(pd.DataFrame({"categories": dtype.categories}), preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, "ordered": str(bool(dtype.ordered))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue().to_pybytes())


def _unpacked(packed: bytes) -> pd.CategoricalDtype:
    table = read_table(pa.BufferReader(base64.b64decode(packed)), columns.MAX_CATEGORIES)
    categories = pd.Index(table.to_pandas()["categories"]).rename(None)
    return pd.CategoricalDtype(categories, ordered=table.schema.metadata[b"ordered"] == b"True")


def _carries(column: pd.Series) -> bool:
    try:
        pa.Table.from_pandas(column.to_frame(), preserve_index=False)
    except (TypeError, ValueError, NotImplementedError):
        return False
    return True
