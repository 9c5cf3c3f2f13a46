"""Values that one name and a little JSON stand for: times, decimals, fractions, UUIDs, nulls."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from seatrial.io.cells.refusals import Unsupported

_PYTZ = "pytz:"  # before the name of a zone of that library
DIGITS = 800  # of an integer: reading one takes time that grows with their square


def whole(value: int) -> int:
    """Return an integer; Unsupported where it has more digits than are read back."""
    if value.bit_length() > DIGITS * 10 // 3:
        raise Unsupported(f"an integer of more than {DIGITS} digits", "Return it as text.")
    return value


def _zone(zone: Any) -> str | None:
    if zone is None:
        return None
    try:
        name: str = pa.lib.tzinfo_to_string(zone)
        pa.lib.string_to_tzinfo(name)
    except Exception as error:  # a zone may be any object
        raise Unsupported(f"a time zone of the type {type(zone).__name__}", "Use zoneinfo.ZoneInfo.") from error
    return f"{_PYTZ}{name}" if type(zone).__module__.partition(".")[0] == "pytz" else name


def _of_zone(stored: str) -> Any:
    """Return a zone of the library it was of: in an hour that comes twice, times of two libraries are never equal."""
    name = stored.removeprefix(_PYTZ)
    try:
        return import_module("pytz").timezone(name) if name != stored else ZoneInfo(name)
    except (ImportError, KeyError, ValueError):  # an offset; or another environment, without that library
        return pa.lib.string_to_tzinfo(name)


def _moment(value: dt.datetime) -> list[Any]:
    if value.tzinfo is None:
        return [value.isoformat(), value.fold, None]
    return [value.astimezone(dt.timezone.utc).replace(tzinfo=None).isoformat(), 0, _zone(value.tzinfo)]  # noqa: UP017


def _of_moment(stored: Any) -> dt.datetime:
    text, fold, zone = stored
    moment = dt.datetime.fromisoformat(text)
    if zone is None:
        return moment.replace(fold=fold)
    return moment.replace(tzinfo=dt.timezone.utc).astimezone(_of_zone(zone))  # noqa: UP017


def _time(value: dt.time) -> list[Any]:
    if value.tzinfo is not None and type(value.tzinfo) is not dt.timezone:
        raise Unsupported("a time of day with a named zone", "Return a datetime.")
    return [value.isoformat(), value.fold]


def _stamp(value: pd.Timestamp) -> list[Any]:
    return [int(value.asm8.astype("i8")), value.unit, _zone(value.tzinfo)]


def _of_stamp(stored: Any) -> pd.Timestamp:
    ticks, unit, zone = stored
    stamp = pd.Timestamp(np.datetime64(ticks, unit))
    return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(_of_zone(zone))


NAMED: dict[type, str] = {
    complex: "complex", Decimal: "Decimal", Fraction: "Fraction", UUID: "UUID", dt.date: "date", dt.time: "time",
    dt.datetime: "datetime", dt.timedelta: "timedelta", pd.Timestamp: "Timestamp", pd.Timedelta: "Timedelta",
    pd.Period: "Period", type(pd.NaT): "NaT", type(pd.NA): "NA",
}  # fmt: skip

TO_JSON: dict[str, Callable[[Any], Any]] = {
    "complex": lambda v: [v.real, v.imag],
    "Decimal": str,
    "Fraction": lambda v: [whole(v.numerator), whole(v.denominator)],
    "UUID": str,
    "date": lambda v: v.isoformat(),
    "time": _time,
    "datetime": _moment,
    "timedelta": lambda v: [v.days, v.seconds, v.microseconds],
    "Timestamp": _stamp,
    "Timedelta": lambda v: [int(v.asm8.astype("i8")), v.unit],
    "Period": lambda v: [v.ordinal, v.freqstr],
    "NaT": lambda _: None,
    "NA": lambda _: None,
}

FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "complex": lambda v: complex(*v),
    "Decimal": Decimal,
    "Fraction": lambda v: Fraction(*v),
    "UUID": UUID,
    "date": dt.date.fromisoformat,
    "time": lambda v: dt.time.fromisoformat(v[0]).replace(fold=v[1]),
    "datetime": _of_moment,
    "timedelta": lambda v: dt.timedelta(*v),
    "Timestamp": _of_stamp,
    "Timedelta": lambda v: pd.Timedelta(np.timedelta64(*v)),
    "Period": lambda v: pd.Period(ordinal=v[0], freq=v[1]),
    "NaT": lambda _: pd.NaT,
    "NA": lambda _: pd.NA,
}
