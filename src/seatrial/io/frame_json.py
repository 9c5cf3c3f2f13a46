"""Frames as JSON carries them, and JSON read back as a frame would hold it.

JSON has text, one kind of number, true and false, null, lists and objects. What a frame distinguishes beyond that
cannot be seen in an answer, and is not compared:

- an integer that JSON writes as ``41`` or ``41.0`` is the same number; so is a float written as ``1``;
- NaN, NaT, None and NA are null; infinities are null too, since JSON has none;
- a category is its text; a date and a time of day are their ISO 8601 text;
- a timestamp is ISO 8601 text that names the same instant, with an offset where the frame has a time zone;
- a duration is a number of seconds, or text that pandas reads as one;
- a decimal is a number or the text of one; float32 is compared as float32, whichever digits were written, in lists of
  numbers too.

All else must be of the same kind: ``"41"`` is not 41, ``true`` is not 1, and integers keep every digit.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import UsageError
from seatrial.io import json_lists

SAFE_INTEGER = 2**53 - 1  # the largest that every reader of JSON keeps (RFC 7493, section 2.2)
PAYLOAD = "payload"  # the column of a frame whose rows are whole requests


def payloads(frame: pd.DataFrame) -> list[str]:
    """Return each row as the JSON text of one request: as it stands in ``payload``, or its fields as an object."""
    if list(frame.columns) == [PAYLOAD]:
        return [str(text) for text in frame[PAYLOAD]]
    return [as_text(row) for row in rows(frame)]


def as_text(value: Any) -> str:
    """Return a value as strict, compact JSON text; UsageError where JSON cannot carry it."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise UsageError(f"A request row cannot be sent as JSON: {error}.") from error


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as objects of JSON's own types."""
    cells = [[_plain(cell) for cell in frame[name].astype(object)] for name in frame.columns]
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]


def projected(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with what JSON cannot carry taken out: what an answer is compared with."""
    return pd.DataFrame({name: _projected(frame[name]) for name in frame.columns}, index=frame.index)


def read(answers: Sequence[Mapping[str, Any]], like: pd.DataFrame) -> pd.DataFrame:
    """Return answered objects as a frame with the types of ``like`` where the answers are of that kind.

    A column that is not is returned as it was answered, so that the comparison can name it. A field that an
    object lacks is null; a nested object whose path is a column of ``like`` (``a.b``) is taken apart.
    """
    wanted = [str(c) for c in like.columns]
    parts = {name.split(".", 1)[0] for name in wanted if "." in name} - set(wanted)
    flat = [_flat(answer, parts) if parts else answer for answer in answers]
    names = dict.fromkeys(name for answer in flat for name in answer)
    columns = {}
    for name in names:
        cells = [answer.get(name) for answer in flat]
        columns[name] = read_column(cells, like[name]) if name in like.columns else _natural(cells)
    return pd.DataFrame(columns, index=pd.RangeIndex(len(flat)))


def read_column(cells: list[Any], like: pd.Series) -> pd.Series:
    """Return answered cells with the type of ``like`` where each is null or of its kind; else as they are."""
    reader = _reader(like)
    try:
        return reader(cells) if reader else _natural(cells)
    except (ValueError, TypeError, OverflowError, InvalidOperation):
        return _natural(cells)


def beyond_safe(answers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how often each field carries an integer that a reader of doubles rounds."""
    found: dict[str, int] = {}
    for answer in answers:
        for name, value in answer.items():
            if isinstance(value, int) and abs(value) > SAFE_INTEGER and not isinstance(value, bool):
                found[name] = found.get(name, 0) + 1
    return found


def _plain(cell: Any) -> Any:  # noqa: PLR0911  one return a kind
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return None
    if isinstance(cell, str | bool | int):
        return cell
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    if isinstance(cell, np.generic):
        return _plain(cell.item())
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        return cell.total_seconds()
    if isinstance(cell, Mapping):
        return {str(k): _plain(v) for k, v in cell.items()}
    if isinstance(cell, list | tuple | set | frozenset | np.ndarray):
        return [_plain(item) for item in cell]
    return str(cell)


def _projected(column: pd.Series) -> pd.Series:  # noqa: PLR0911  one return a family of types
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        whole = pd.api.types.is_integer_dtype(dtype.categories.dtype)  # beside null
        return _projected(column.astype("Int64" if whole else dtype.categories.dtype))
    if isinstance(dtype, pd.ArrowDtype) and json_lists.is_time(dtype.pyarrow_dtype):
        return _projected(json_lists.as_pandas(column))
    if pd.api.types.is_float_dtype(dtype) and not isinstance(dtype, pd.ArrowDtype):
        return column.mask(np.isinf(column.to_numpy(dtype="float64", na_value=np.nan)))
    if pd.api.types.is_integer_dtype(dtype) and not isinstance(dtype, pd.ArrowDtype):
        return column.astype("UInt64" if pd.api.types.is_unsigned_integer_dtype(dtype) else "Int64")
    if pd.api.types.is_bool_dtype(dtype):
        return column.astype("boolean")
    if dtype.kind == "O" and not isinstance(_first(column), Decimal | str):
        cells = [_plain(cell) for cell in column]
        lists = json_lists.of_numbers(column, cells)
        return (_natural(cells) if lists is None else lists).set_axis(column.index)
    return column


def _reader(like: pd.Series) -> Callable[[list[Any]], pd.Series] | None:  # noqa: PLR0911  one return a family of types
    dtype = like.dtype
    if isinstance(dtype, pd.ArrowDtype) and json_lists.is_list(dtype.pyarrow_dtype):
        return lambda cells: json_lists.as_arrow(cells, dtype.pyarrow_dtype)
    if isinstance(dtype, pd.ArrowDtype) and json_lists.is_time(dtype.pyarrow_dtype):
        return _reader(json_lists.as_pandas(like))
    if pd.api.types.is_bool_dtype(dtype):
        return lambda cells: _of_kind(cells, bool, "boolean")
    if pd.api.types.is_integer_dtype(dtype):
        return lambda cells: pd.Series([_whole(cell) for cell in cells], dtype=dtype)
    if pd.api.types.is_float_dtype(dtype):
        return lambda cells: pd.Series([_number(cell) for cell in cells], dtype="float64").astype(dtype)
    if isinstance(dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_dtype(dtype):
        return lambda cells: _instants(cells, dtype)
    if pd.api.types.is_timedelta64_dtype(dtype):
        return lambda cells: pd.Series([_duration(cell) for cell in cells]).astype(dtype)
    if isinstance(_first(like), Decimal):
        return lambda cells: pd.Series([_decimal(cell) for cell in cells], dtype=object)
    if isinstance(_first(like), str):
        return lambda cells: _of_kind(cells, str, like.dtype)
    return None


def _of_kind(cells: list[Any], kind: type, dtype: Any) -> pd.Series:
    if not all(cell is None or isinstance(cell, kind) for cell in cells):
        raise TypeError
    return pd.Series(cells, dtype=dtype)


def _whole(cell: Any) -> Any:
    if cell is None:
        return pd.NA
    if isinstance(cell, bool) or not isinstance(cell, int | float) or cell != int(cell):
        raise TypeError
    return int(cell)


def _number(cell: Any) -> float:
    if cell is None:
        return math.nan
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise TypeError
    return float(cell)


def _decimal(cell: Any) -> Decimal | None:
    if cell is None:
        return None
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        raise TypeError
    return Decimal(repr(cell) if isinstance(cell, float) else cell)


def _duration(cell: Any) -> Any:
    if cell is None:
        return pd.NaT
    if isinstance(cell, str):
        return pd.Timedelta(cell)
    return pd.Timedelta(seconds=_number(cell))


def _instants(cells: list[Any], dtype: Any) -> pd.Series:
    if not all(cell is None or isinstance(cell, str) for cell in cells):
        raise TypeError
    zone = getattr(dtype, "tz", None)
    moments = [None if cell is None else pd.Timestamp(datetime.datetime.fromisoformat(cell)) for cell in cells]
    zoned = {m.tzinfo is not None for m in moments if m is not None}
    if len(zoned) > 1:
        raise TypeError
    if zoned == {False}:  # a moment without an offset is no instant: the comparison reports it
        return pd.Series(pd.DatetimeIndex(moments)).astype(dtype if zone is None else "datetime64[us]")
    instants = pd.Series(pd.to_datetime(moments, utc=True))
    return instants if zone is None and zoned else instants.dt.tz_convert(zone).astype(dtype)


def _natural(cells: list[Any]) -> pd.Series:
    """Return cells in the type they have themselves; whole numbers stay whole beside null."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {int} and all(cell is None or -(2**63) <= cell < 2**63 for cell in cells):
        return pd.Series(cells, dtype="Int64")
    if kinds == {bool}:
        return pd.Series(cells, dtype="boolean")
    if kinds == {str}:
        return pd.Series(cells, dtype="string")
    if kinds and kinds <= {int, float}:
        return pd.Series([_number(cell) for cell in cells], dtype="float64")
    return pd.Series(cells, dtype=object)


def _flat(answer: Mapping[str, Any], parts: set[str], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in answer.items():
        if isinstance(value, Mapping) and (prefix or name in parts):
            out |= _flat(value, parts, f"{prefix}{name}.")
        else:
            out[prefix + name] = value
    return out


def _first(column: pd.Series) -> Any:
    present = column.dropna()
    return present.iloc[0] if len(present) else None
