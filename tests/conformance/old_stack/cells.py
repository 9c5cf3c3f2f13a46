"""A column of every kind, and what differs between one stack's and another's: ``python cells.py write|read FOLDER``."""

import datetime
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from seatrial.io import parquet
from seatrial.parity.compare import Tolerance, compare
from seatrial.worker import frames

KINDS = {
    "parquet": (parquet.write_frame, parquet.read_frame),
    "arrow": (lambda frame, path, _: frames.write([frame], path), lambda path: next(frames.read(path, 1))),
}
EXACT = Tolerance(rtol=0.0, atol=0.0)
MOMENTS = np.array(["2024-01-31T10:00:00.123456789", "2024-06-30T23:59:59.000000001", "2024-12-31"], "M8[ns]")
DAYS = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-01"])


def columns():
    """Return each column in a frame of its own, by its name."""
    utc = pd.Series(MOMENTS).dt.tz_localize("UTC")
    cells = {
        "text": ["a", "ß", ""],
        "text with null": ["a", None, "c"],
        "string": pd.array(["a", None, "c"], dtype="string"),
        "category": pd.Categorical(["x", "y", "x"], categories=["z", "y", "x"]),
        "category with null": pd.Categorical(["x", None, "x"]),
        "ordered category": pd.Categorical(["lo", "hi", "lo"], categories=["lo", "mid", "hi"], ordered=True),
        "category of integers": pd.Categorical([3, 1, 3], categories=[1, 2, 3]),
        "category of days": pd.Categorical(DAYS),
        "category of flags": pd.Categorical([True, False, True]),
        "int64": [1, 2, 3],
        "int8": np.array([1, 2, 3], "int8"),
        "uint64": np.array([1, 2**64 - 1, 3], "uint64"),
        "Int64": pd.array([1, None, 2**60], dtype="Int64"),
        "integers as objects": pd.Series([1, None, 2**60], dtype=object),
        "float64": [0.1, np.nan, np.inf],
        "float32": np.array([0.1, np.nan, 1e-30], "float32"),
        "float16": np.array([0.1, np.nan, 2], "float16"),
        "Float64": pd.array([0.1, None, 2], dtype="Float64"),
        "floats as objects": pd.Series([0.5, None, 1.5], dtype=object),
        "bool": [True, False, True],
        "boolean": pd.array([True, None, False], dtype="boolean"),
        "flags as objects": pd.Series([True, None, False], dtype=object),
        "decimal": [Decimal("1.10"), None, Decimal("2.20")],
        "date": [datetime.date(2024, 1, 1), None, datetime.date(1800, 1, 1)],
        "time": [datetime.time(1, 2, 3), None, datetime.time(0)],
        "bytes": [b"\xff\xd8", None, b""],
        "nanoseconds": MOMENTS,
        "days": DAYS,
        "time with null": pd.to_datetime(["2024-01-01", None, "2024-01-02"]),
        "microseconds": np.array(["2024-01-01T00:00:00.000001", "NaT", "2024-01-03"], "M8[us]"),
        "seconds": np.array(["2024-01-01", "2024-01-02", "2024-01-03"], "M8[s]"),
        "far away": np.array(["0800-01-01", "9999-12-31", "2024-01-03"], "M8[us]"),
        "utc": utc,
        "zone": utc.dt.tz_convert("Europe/Berlin"),
        "coarse zone": utc.astype("datetime64[ms, UTC]").dt.tz_convert("Asia/Kolkata"),
        "offset": utc.dt.tz_convert(datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))),
        "duration": pd.to_timedelta([1, 2, None], unit="s"),
        "lists of floats": [[0.1, 0.2], [], None],
        "lists of integers": [[1, 2], [3, None], []],
        "lists of text": [["a"], ["b", None], []],
        "arrays": [np.array([1.0, 2.0]), np.array([3.0]), np.array([])],
        "lists of lists": [[[1, 2], [3]], [], [[4]]],
        "mappings": [{"a": 1}, {"b": [1, 2]}, None],
        "lists of mappings": [[{"a": 1}], [], [{"b": None}]],
        "nulls": [None, None, None],
        "Arrow time": pd.array([DAYS[0], None, DAYS[1]], dtype=pd.ArrowDtype(pa.timestamp("us", "UTC"))),
        "Arrow integer": pd.array([1, None, 3], dtype=pd.ArrowDtype(pa.int32())),
        "Arrow text": pd.array(["a", None, "b"], dtype=pd.ArrowDtype(pa.string())),
    }
    return {name: pd.DataFrame({"id": ["r1", "r2", "r3"], name: c}) for name, c in cells.items()}


def write(folder):
    """Write all columns as Parquet and as Arrow files."""
    for name, frame in columns().items():
        for kind, (written, _) in KINDS.items():
            written(frame, Path(folder) / f"{name}.{kind}", name)


def read(folder):
    """Return what differs between the files of :func:`write`, made by another stack, and the columns made here."""
    wrong = []
    for name, frame in columns().items():
        for kind, (_, reading) in KINDS.items():
            there = reading(Path(folder) / f"{name}.{kind}")
            if not (parity := compare(frame, there, key="id", tolerances={name: EXACT}, distributions=False)).ok:
                wrong.append(f"{name} as {kind}: {parity.columns}")
    return wrong


if __name__ == "__main__":
    if found := {"write": write, "read": read}[sys.argv[1]](sys.argv[2]):
        sys.exit("\n".join(found))
