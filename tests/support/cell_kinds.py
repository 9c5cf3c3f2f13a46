"""A column of every kind that a stage may return, three rows each, and cells that cannot be kept."""

import collections
import dataclasses
import datetime as dt
import enum
import fractions
import pathlib
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

A, B, C = ({"n": n} for n in range(3))
UTC = dt.timezone.utc  # noqa: UP017  of the oldest Python that capture runs on
BERLIN = ZoneInfo("Europe/Berlin")


def objects(*cells):
    """Return a column of objects, whatever they are."""
    values = np.empty(len(cells), dtype=object)
    for n, cell in enumerate(cells):
        values[n] = cell
    return pd.Series(values, dtype=object)


def arrow(kind, *cells):
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(cells, kind)))


def kinds():
    """Return columns by the name of their kind: no two cells of a column are equal."""
    floats = np.arange(24.0).reshape(3, 2, 4)
    pairs = {} if pd.__version__ < "2.1" else {"Arrow fixed list": arrow(pa.list_(pa.int64(), 2), [1, 2], [3, 4], None)}
    return pairs | {
        # text and bytes
        "text as objects": objects("a", "b", None),
        "text with NaN": objects("a", float("nan"), "c"),
        "half a surrogate pair": objects("\ud800", "b", "c"),
        "bytes": objects(b"\xff\xd8\xff\xe0", b"", None),
        "bytes of a megabyte": objects(b"\xff" * 2**20, b"\0" * (2**20 + 1), b"x"),
        "bytearray": objects(bytearray(b"\xff"), bytearray(), bytearray(b"a")),
        # numbers
        "integers": objects(1, None, 3),
        "integers with NaN": objects(1, float("nan"), 3),
        "integers beyond 64 bits": objects(2**63, -(2**80), 1),
        "unsigned": objects(2**64 - 1, 1, 2),
        "floats": objects(0.1, float("nan"), None),
        "truth values": objects(True, False, None),
        "numbers of both types": objects(1, 1.5, True),
        "complex as objects": objects(1 + 2j, complex("nan"), -0j),
        "complex128": pd.Series([1 + 2j, complex(0, -0.0), 3]),
        "complex64": pd.Series(np.array([1 + 2j, 2j, 3], "complex64")),
        "float16": pd.Series(np.array([1, np.nan, 0.1], "float16")),
        "decimals": objects(Decimal("1.10"), Decimal("2.20"), None),
        "decimals of several scales": objects(Decimal("1.1"), Decimal("2.20"), Decimal("NaN")),
        "decimals without digits": objects(Decimal("-0.00"), Decimal("Infinity"), Decimal("1E+3")),
        "fractions": objects(fractions.Fraction(1, 3), fractions.Fraction(2), fractions.Fraction(-1, 7)),
        "numpy float32": objects(np.float32(0.1), np.float32("nan"), np.float32(2)),
        "numpy int64": objects(np.int64(1), None, np.int64(3)),
        "numpy of several types": objects(np.int8(1), np.float16(2), np.bool_(True)),
        "numpy times": objects(np.datetime64("2026-01-01"), np.datetime64("NaT", "s"), np.timedelta64(1, "h")),
        "UUIDs": objects(uuid.UUID(int=1), uuid.UUID(int=2), None),
        # times
        "dates": objects(dt.date(2026, 1, 1), dt.date(1, 1, 1), None),
        "times of day": objects(dt.time(1, 2, 3, 4), dt.time(0), None),
        "times of day with offset": objects(dt.time(1, tzinfo=UTC), dt.time(0), dt.time(2)),
        "datetimes": objects(dt.datetime(2026, 1, 1, 1), dt.datetime(1, 1, 1), None),
        "datetimes with zones": objects(
            dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN), dt.datetime(2026, 1, 1, tzinfo=UTC), None
        ),
        "datetimes with one zone and NaT": objects(dt.datetime(2026, 1, 1, tzinfo=UTC), pd.NaT, pd.NaT),
        "timedeltas": objects(dt.timedelta(1, 2, 3), dt.timedelta(-1), None),
        "Timestamps": objects(pd.Timestamp("2026-01-01", tz="Europe/Berlin"), pd.Timestamp(1), pd.NaT),
        "Timestamps of seconds": objects(pd.Timestamp("9000-01-01").as_unit("s"), None, pd.Timestamp(2)),
        "Timedeltas": objects(pd.Timedelta(1), pd.Timedelta(days=1), pd.NaT),
        "Periods as objects": objects(pd.Period("2026-01", "M"), pd.Period("2026", "Y"), None),
        "Periods": pd.Series(pd.period_range("2026-01", periods=3, freq="M")),
        "Periods with null": pd.Series(pd.PeriodIndex(["2026-01", None, "2026-03"], freq="M")),
        # ranges
        "Intervals as objects": objects(pd.Interval(0, 1), pd.Interval(0.5, 1.5, "left"), None),
        "Intervals": pd.Series(pd.arrays.IntervalArray.from_breaks([0.0, 1.0, 2.0, 3.0], closed="left")),
        "Intervals of times": pd.Series(pd.interval_range(pd.Timestamp(0, tz="UTC"), periods=3, freq="D")),
        "Intervals with null": pd.Series(pd.arrays.IntervalArray.from_tuples([(0, 1), None, (2, 3)])),
        "pd.cut": pd.Series(pd.cut([1, 5, 9], 3)),
        "pd.cut with null": pd.Series(pd.cut([1, 50, 9], [0, 5, 10])),
        # categories
        "categories": pd.Series(pd.Categorical(["x", None, "y"], categories=["z", "y", "x"], ordered=True)),
        "categories of several types": pd.Series(pd.Categorical([1, "x", None])),
        "categories of tuples": pd.Series(pd.Categorical(objects((1, 2), (3,), (1, 2)))),
        "categories of times": pd.Series(pd.Categorical(pd.to_datetime(["2026-01-01", "2026-01-02", None]))),
        # sparse and masked
        "sparse": pd.Series(pd.arrays.SparseArray([0.0, 1.0, 2.0], fill_value=0.0)),
        "sparse with NaN": pd.Series(pd.arrays.SparseArray([np.nan, 1.0, 2.0])),
        "sparse integers": pd.Series(pd.arrays.SparseArray([0, 7, 9])),
        "Int64": pd.Series([1, None, 2**60], dtype="Int64"),
        "boolean": pd.Series([True, None, False], dtype="boolean"),
        "string": pd.Series(["a", None, "b"], dtype="string"),
        # arrays
        "arrays": objects(np.array([1.0, np.nan]), np.array([]), None),
        "arrays of float32": objects(*floats.astype("float32")[:, 0]),
        "arrays of float16": objects(*floats.astype("float16")[:, 0]),
        "arrays of truth values": objects(np.array([True]), np.array([False]), np.array([], bool)),
        "arrays of text": objects(np.array(["a", "bc"]), np.array([""]), None),
        "arrays of times": objects(np.array(["2026-01-01", "NaT"], "M8[ms]"), None, np.array([], "M8[ms]")),
        "arrays of complex": objects(np.array([1j]), np.array([2]), None),
        "arrays of objects": objects(np.array([1, "a", None], object), np.array([[b"x"]], object), None),
        "arrays of other bytes": objects(np.array([1, 2], ">i4"), np.array([3], "<i4"), None),
        "arrays of several types": objects(np.array([1]), np.array([1.5]), np.array([True])),
        "matrices": objects(*floats),
        "matrices by column": objects(*(np.asfortranarray(part) for part in floats)),
        "images": objects(*np.arange(3 * 4 * 5 * 3, dtype="uint8").reshape(3, 4, 5, 3)),
        "arrays of no dimension": objects(np.array(1.0), np.array(2), None),
        "arrays without numbers": objects(np.empty((0, 4)), np.empty((3, 0)), np.empty((2, 2))),
        # containers
        "lists of floats": objects([1.0, float("nan")], [], [None]),
        "lists of integers": objects([1, None], [2**62], None),
        "lists of both numbers": objects([1, 2.5], [True], []),
        "lists of numpy floats": objects([np.float64(1), None], [np.float64("nan")], []),
        "lists of text": objects(["a", None], [], ["\ud800"]),
        "lists of bytes": objects([b"\xff"], [b""], []),
        "lists of lists": objects([[1, 2], []], [None], [[3]]),
        "lists of several depths": objects([[1], 2], [[[3]]], []),
        "lists of arrays": objects([np.array([1.0])], [np.zeros((2, 2))], []),
        "lists of tuples": objects([("a", 0.5)], [("b", 0.25)], []),
        "lists of nothing": objects([], [], None),
        "tuples": objects((1, "a"), (), None),
        "sets": objects({1, 2}, set(), {"a", 1}),
        "frozensets": objects(frozenset({b"x"}), frozenset(), None),
        "dicts": objects({"a": 1}, {"b": [1, None], "a": {}}, None),
        "dicts of a dollar": objects({"$tuple": [1]}, {"$": 1}, {"$bytes": [0, 1]}),
        "dicts by integer": objects({1: "a"}, {(1, 2): b"\xff"}, {None: 1}),
        "dicts of arrays": objects({"box": np.ones(4), "mask": np.eye(2, dtype=bool)}, {}, None),
        "lists of dicts": objects([{"item": "a", "score": 0.1}], [], [{"item": None}]),
        "dicts of every kind": objects(
            collections.OrderedDict(b=1, a=2), collections.defaultdict(list, x=[1]), collections.Counter("aab")
        ),
        "nulls of every kind": objects(None, pd.NA, pd.NaT),
        "mixed": objects(1, "a", [b"\xff", {"x": (1.5,)}]),
        # Arrow
        "Arrow list": arrow(pa.list_(pa.float32()), [1.0, None], [], None),
        "Arrow struct": arrow(pa.struct({"a": pa.int64(), "b": pa.list_(pa.string())}), {"a": 1, "b": ["x"]}, None, {}),
        "Arrow map": arrow(pa.map_(pa.string(), pa.int64()), [("a", 1)], [], None),
        "Arrow dictionary": pd.Series(pd.arrays.ArrowExtensionArray(pa.array(["a", None, "b"]).dictionary_encode())),
        "Arrow decimal": arrow(pa.decimal128(10, 2), Decimal("1.10"), None, Decimal("2.00")),
        "Arrow binary": arrow(pa.binary(), b"\xff", None, b""),
        "Arrow date": arrow(pa.date32(), dt.date(2026, 1, 1), None, dt.date(1, 1, 1)),
        "Arrow time": arrow(pa.time64("us"), dt.time(1), None, dt.time(2)),
        "Arrow timestamp": arrow(pa.timestamp("us", "UTC"), dt.datetime(2026, 1, 1, tzinfo=UTC), None, None),
        "Arrow duration": arrow(pa.duration("ms"), dt.timedelta(1), None, dt.timedelta(2)),
        "Arrow integer": arrow(pa.int32(), 1, None, 3),
        "Arrow text": arrow(pa.large_string(), "a", None, "b"),
        "Arrow float and NaN": arrow(pa.float64(), 1.0, None, float("nan")),
    }


class Colour(enum.Enum):
    RED = "red"


class Label(str):
    """Text of a class of its own."""


@dataclasses.dataclass
class Box:
    x: int


Point = collections.namedtuple("Point", "x y")


def refused():
    """Return a cell of kinds that cannot be kept, and what the message says to return."""
    return {
        "Enum": (Colour.RED, "Return its value: cell.value"),
        "dataclass": (Box(1), r"Return dataclasses.asdict\(cell\)"),
        "named tuple": (Point(1, 2), r"Return cell._asdict\(\), or tuple\(cell\)"),
        "path": (pathlib.PurePosixPath("a"), r"Return str\(cell\)"),
        "text of a class": (Label("a"), r"Return str\(cell\)"),
        "frame": (pd.DataFrame({"a": [1]}), r"Return cell.to_numpy\(\)"),
        "series": (pd.Series([1]), r"Return cell.to_numpy\(\)"),
        "structured array": (np.zeros(2, dtype=[("a", "i4")]), "array for each of its fields"),
        "masked array": (np.ma.masked_array([1], [True]), r"np.asarray\(cell\)"),
        "function": (len, "A cell may hold numbers, text, bytes"),
        "object": (object(), "A cell may hold numbers, text, bytes"),
        "generator": ((n for n in ()), "A cell may hold numbers, text, bytes"),
        "range": (range(3), "A cell may hold numbers, text, bytes"),
        "memoryview": (memoryview(b"a"), "A cell may hold numbers, text, bytes"),
        "huge integer": (10**5000, "Return it as text"),
        "defaultdict of a function": (collections.defaultdict(lambda: 1), r"Return dict\(cell\)"),
        "datetime of a foreign zone": (dt.datetime(2026, 1, 1, tzinfo=Zone()), "zoneinfo"),
        "deep": (deep(100), "Return a flatter value"),
    }


class Zone(dt.tzinfo):
    def utcoffset(self, moment):
        return dt.timedelta(hours=1)


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


def same(one, other):
    """Whether two values are equal and of one type, at any depth; NaN equals NaN, and nothing else null."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        equal = one.dtype == other.dtype and one.shape == other.shape
        layout = one.strides == other.strides or not one.size
        return equal and layout and all(map(same, one.ravel().tolist(), other.ravel().tolist()))
    if isinstance(one, dict):
        return [*one] == [*other] and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if one is None or one is pd.NA or one is pd.NaT:
        return one is other
    if isinstance(one, dt.datetime):
        return repr(one.astimezone(UTC) if one.tzinfo else one) == repr(other.astimezone(UTC) if one.tzinfo else other)
    return repr(one) == repr(other)


def same_column(one, other):
    return one.dtype == other.dtype and all(map(same, one.astype(object), other.astype(object)))
