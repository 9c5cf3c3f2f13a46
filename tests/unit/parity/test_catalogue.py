"""Every kind of cell, clean and broken: no traceback, no silent pass, no false failure."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from seatrial.parity.compare import compare
from seatrial.parity.result import Parity

ROWS = 6  # of three values, each twice
ARROW = pd.ArrowDtype


class Colour(enum.Enum):
    RED = 1
    BLUE = 2
    GREEN = 3


DAY, NOON, HOUR = dt.date(2024, 2, 29), dt.time(12, 30), dt.timedelta(hours=1)
MOMENT = dt.datetime(2024, 2, 29, 12, 30)
IDS = [uuid.UUID(int=n) for n in (1, 2, 3)]
RNG = np.random.default_rng(5)
BOX = {"label": "cat", "score": 0.25, "at": [1, 2, 3, 4]}

# kind: dtype (None for what pandas makes of it), three values (the last of them is what a cell becomes), and whether
# the type has a null.
NUMPY = {
    **{f"numpy {t}": (t, [1, 2, 3], False) for t in ("int8", "int16", "int32", "int64")},
    **{f"numpy {t}": (t, [1, 2, 2**7], False) for t in ("uint8", "uint16", "uint32")},
    "numpy uint64": ("uint64", [1, 2**63, 2**64 - 1], False),
    **{f"numpy {t}": (t, [0.5, -1.25, 7.0], True) for t in ("float16", "float32", "float64")},
    "numpy longdouble": ("longdouble", [0.5, -1.25, 7.0], True),
    "numpy float64 with infinity": ("float64", [np.inf, 1.0, -np.inf], True),
    "numpy complex64": ("complex64", [1 + 2j, 0j, 3j], True),
    "numpy complex128": ("complex128", [1 + 2j, 0j, 3j], True),
    "numpy bool": ("bool", [True, True, False], False),
    **{f"numpy datetime64[{u}]": (f"datetime64[{u}]", [MOMENT, pd.Timestamp(0), pd.Timestamp(10**9)], True)
       for u in ("s", "ms", "us", "ns")},
    **{f"numpy timedelta64[{u}]": (f"timedelta64[{u}]", [HOUR, 2 * HOUR, 3 * HOUR], True) for u in ("s", "ns")},
}  # fmt: skip
PANDAS = {
    **{f"pandas {t}": (t, [1, 2, 3], True) for t in ("Int8", "Int32", "Int64", "UInt8", "UInt64")},
    **{f"pandas {t}": (t, [0.5, 1.5, 2.5], True) for t in ("Float32", "Float64")},
    "pandas boolean": ("boolean", [True, True, False], True),
    "pandas string": ("string", ["a", "ß", ""], True),
    "pandas string[pyarrow]": ("string[pyarrow]", ["a", "ß", ""], True),
    "pandas zoned": ("datetime64[us, Europe/Berlin]", [pd.Timestamp(n, tz="UTC") for n in (0, 10**9, 10**18)], True),
    "pandas category of text": ("category", ["a", "b", "c"], True),
    "pandas category of int": ("category", [1, 2, 3], True),
    "pandas category of float": ("category", [0.5, 1.5, 2.5], True),
    "pandas category of bool": ("category", [True, True, False], True),
    "pandas category of times": ("category", [pd.Timestamp(0), pd.Timestamp(10**9), pd.Timestamp(10**18)], True),
    "pandas category of intervals": ("category", [pd.Interval(0, 1), pd.Interval(1, 2), pd.Interval(2, 3)], True),
    "pandas ordered category": (pd.CategoricalDtype(["c", "a", "b"], ordered=True), ["a", "b", "c"], True),
    "pandas period": ("period[M]", list(pd.period_range("2024-01", periods=3, freq="M")), True),
    "pandas interval": ("interval[float64]", list(pd.interval_range(0.0, 3.0)), True),
    "pandas sparse float": (pd.SparseDtype("float64"), [0.5, 1.5, 2.5], True),
    "pandas sparse int": (pd.SparseDtype("int64", 0), [0, 1, 2], False),
}  # fmt: skip
TIMES = [MOMENT, dt.datetime(1970, 1, 1), dt.datetime(2030, 1, 1)]
STRUCT = pa.struct([("score", pa.float64()), ("label", pa.string()), ("box", pa.list_(pa.int32()))])
RECORDS = [
    {"score": 0.5, "label": "a", "box": [1]},
    {"score": 1.5, "label": None, "box": []},
    {"score": 0.25, "label": "a", "box": [1]},
]
ARROWS = {
    "Arrow int32": (pa.int32(), [1, 2, 3]),
    "Arrow uint64": (pa.uint64(), [1, 2**63, 2**64 - 1]),
    "Arrow float16": (pa.float16(), [np.float16(0.5), np.float16(1.5), np.float16(2.5)]),
    "Arrow float32": (pa.float32(), [0.5, 1.5, 2.5]),
    "Arrow float64": (pa.float64(), [0.5, 1.5, 2.5]),
    "Arrow bool": (pa.bool_(), [True, True, False]),
    "Arrow string": (pa.string(), ["a", "ß", ""]),
    "Arrow large string": (pa.large_string(), ["a", "ß", ""]),
    "Arrow binary": (pa.binary(), [b"a", b"\xff", b""]),
    "Arrow large binary": (pa.large_binary(), [b"a", b"\xff", b""]),
    "Arrow fixed binary": (pa.binary(2), [b"aa", b"\xff\x00", b"bb"]),
    "Arrow decimal128": (pa.decimal128(9, 2), [Decimal("1.50"), Decimal("-2.25"), Decimal("0.01")]),
    "Arrow decimal256": (pa.decimal256(50, 2), [Decimal("1.50"), Decimal("-2.25"), Decimal("0.01")]),
    "Arrow date32": (pa.date32(), [DAY, dt.date(1970, 1, 1), dt.date(2030, 1, 1)]),
    "Arrow date64": (pa.date64(), [DAY, dt.date(1970, 1, 1), dt.date(2030, 1, 1)]),
    "Arrow time32": (pa.time32("s"), [NOON, dt.time(0), dt.time(1)]),
    "Arrow time64": (pa.time64("us"), [NOON, dt.time(0), dt.time(1)]),
    "Arrow timestamp": (pa.timestamp("us"), TIMES),
    "Arrow zoned timestamp": (pa.timestamp("us", "Europe/Berlin"), TIMES),
    "Arrow duration": (pa.duration("ms"), [HOUR, 2 * HOUR, 3 * HOUR]),
    "Arrow dictionary": (pa.dictionary(pa.int8(), pa.string()), ["a", "b", "c"]),
    "Arrow list of float": (pa.list_(pa.float32()), [[0.5, 1.5], [], [0.5, 2.5]]),
    "Arrow large list of text": (pa.large_list(pa.string()), [["a", None], [], ["a", "b"]]),
    "Arrow fixed list": (pa.list_(pa.float64(), 2), [[0.5, 1.5], [2.5, 3.5], [0.5, 2.5]]),
    "Arrow list of lists": (pa.list_(pa.list_(pa.float64())), [[[0.5], [1.5, 2.5]], [], [[0.5], [1.5]]]),
    "Arrow list of structs": (pa.list_(STRUCT), [RECORDS[:2], [], RECORDS[1:]]),
    "Arrow list of decimals": (pa.list_(pa.decimal128(5, 1)), [[Decimal("1.5")], [], [Decimal("2.5")]]),
    "Arrow list of times": (pa.list_(pa.timestamp("ns")), [[MOMENT], [], [dt.datetime(1970, 1, 1)]]),
    "Arrow struct": (STRUCT, RECORDS),
    "Arrow struct of structs": (pa.struct([("inner", STRUCT)]), [{"inner": r} for r in RECORDS]),
    "Arrow map": (pa.map_(pa.string(), pa.float64()), [[("a", 1.0), ("b", 2.0)], [], [("a", 1.0), ("b", 3.0)]]),
    "Arrow map of lists": (pa.map_(pa.string(), pa.list_(pa.int8())), [[("a", [1])], [], [("a", [2])]]),
}  # fmt: skip
OBJECTS = {
    "text": ["a", "ß", ""],
    "text that is not Unicode": ["\ud800", "b", "\ud801"],
    "bytes": [b"a", b"\xff", b""],
    "bool": [True, True, False],
    "int": [1, 2, 3],
    "int beyond 64 bits": [2**70, 1, 2**70 + 1],
    "float": [0.5, 1.5, 2.5],
    "Decimal": [Decimal("1.50"), Decimal("-2.25"), Decimal("0.01")],
    "Fraction": [Fraction(1, 3), Fraction(2, 3), Fraction(1, 7)],
    "complex": [1 + 2j, 0j, 3j],
    "UUID": IDS,
    "Enum": list(Colour),
    "date": [DAY, dt.date(1970, 1, 1), dt.date(2030, 1, 1)],
    "time": [NOON, dt.time(0), dt.time(1)],
    "datetime": [MOMENT, dt.datetime(1970, 1, 1), dt.datetime(2030, 1, 1)],
    "timedelta": [HOUR, 2 * HOUR, 3 * HOUR],
    "list of float": [[0.5, 1.5], [], [0.5, 2.5]],
    "list of int": [[1, 2], [], [1, 3]],
    "list of text": [["a", "b"], [], ["a", "c"]],
    "list of mixed": [["a", 1], [], ["a", 2]],
    "list of lists": [[[0.5], [1.5]], [], [[0.5], [2.5]]],
    "list with null": [[0.5, None], [None], [0.5, 1.5]],
    "list with NaN": [[0.5, np.nan], [np.nan], [0.5, None]],
    "tuple": [(1, "a"), (), (1, "b")],
    "set": [{1, 2}, set(), {1, 3}],
    "set of float": [{0.5, 1.5}, set(), {0.5, 2.5}],
    "frozenset": [frozenset("ab"), frozenset(), frozenset("ac")],
    "dict": [{"a": 1.5, "b": None}, {}, {"a": 1.5}],
    "dict of lists": [{"a": [0.5, 1.5]}, {}, {"a": [0.5, 2.5]}],
    "dict of dicts": [{"a": {"b": {"c": 0.5}}}, {}, {"a": {"b": {"c": 1.5}}}],
    "dict by int": [{1: 0.5}, {}, {2: 0.5}],
    "list of dicts": [[BOX, BOX], [], [BOX, BOX | {"score": 0.75}]],
    "array of float32": [np.array([0.5, 1.5], "f4"), np.zeros(0, "f4"), np.array([0.5, 2.5], "f4")],
    "array of int": [np.array([1, 2]), np.array([3, 4]), np.array([1, 3])],
    "array of complex": [np.array([1j]), np.array([2j]), np.array([3j])],
    "array of text": [np.array(["a"]), np.array(["b"]), np.array(["c"])],
    "2-D array": [RNG.random((2, 3)), RNG.random((2, 3)), RNG.random((2, 3))],
    "2-D arrays of several shapes": [np.zeros((2, 3)), np.zeros((3, 2)), np.zeros((6, 1))],
    "3-D image": [RNG.integers(0, 255, (4, 4, 3), dtype="u1") for _ in range(3)],
    "array of float16": [np.array([0.5], "f2"), np.array([1.5], "f2"), np.array([2.5], "f2")],
    "array of objects": [np.array([{"a": share}, None], dtype=object) for share in (1.5, 2.0, 2.5)],
    "Series": [pd.Series([0.5]), pd.Series([1.5]), pd.Series([2.5])],
    "Timestamp with zone": [pd.Timestamp(n, tz="UTC") for n in (0, 10**9, 10**18)],
    "mixed": ["a", 1, 2],
    "mixed with bool": ["a", 1, True],
}  # fmt: skip

KINDS = {
    **NUMPY,
    **PANDAS,
    **{kind: (ARROW(type_), values, True) for kind, (type_, values) in ARROWS.items()},
    **{f"object {kind}": (object, values, True) for kind, values in OBJECTS.items()},
}


def column(kind: str, order: list[int | None]) -> pd.Series:
    """Return the kind's values at the given numbers, None being null; anew, so that no cell is the same object."""
    import pickle

    dtype, values, _ = KINDS[kind]
    values = pickle.loads(pickle.dumps(values))
    cells = [None if n is None else values[n] for n in order]
    if dtype is object or dtype is None:
        held = np.empty(len(cells), dtype=object)
        for n, cell in enumerate(cells):
            held[n] = cell
        return pd.Series(held, dtype=object)
    if isinstance(dtype, ARROW):
        return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(cells, dtype.pyarrow_dtype)))
    if dtype == "longdouble" or (isinstance(dtype, str) and dtype.startswith("complex")):
        return pd.Series(np.array([np.nan if cell is None else cell for cell in cells], dtype=dtype))
    if isinstance(dtype, str) and dtype.startswith(("float", "timedelta", "datetime64[")) and "," not in dtype:
        return pd.Series(cells, dtype="object").astype(dtype)
    return pd.Series(cells, dtype=dtype)


def frame(values: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"id": range(len(values)), "x": values})


def compared(expected: pd.Series, actual: pd.DataFrame, *, distributions: bool = False) -> Parity:
    return compare(frame(expected), actual, key="id", distributions=distributions)


FULL = [0, 1, 0, 1, 0, 1]
assert len(KINDS) >= 70


@pytest.mark.parametrize("kind", KINDS)
def test_clean_passes(kind: str) -> None:
    """Equal values made anew are equal, also beside null, and in another order of rows."""
    for order in [FULL, [0, None, 1, None, 0, 2]] if KINDS[kind][2] else [FULL, [0, 1, 2, 0, 1, 2]]:
        expected, actual = column(kind, order), column(kind, order)
        assert compared(expected, frame(actual)).ok
        shuffled = compared(expected, frame(actual).iloc[::-1].reset_index(drop=True))
        assert shuffled.ok, shuffled
        assert not shuffled.row_order_ok


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_value_is_found(kind: str) -> None:
    """Once, with its key, in either direction."""
    changed = column(kind, [0, 1, 2, 1, 0, 1])
    for e, a in ((column(kind, FULL), changed), (changed, column(kind, FULL))):
        (found,) = compared(e, frame(a), distributions=True).columns
        assert (found.mismatches, found.null_flips) == (1, 0), found
        assert found.worst_keys == ("2",)
        assert found.dtype_ok
        assert not found.ok


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind][2]])
def test_a_flipped_null_is_found(kind: str) -> None:
    """A value that is lost, and one that was not there."""
    holed = column(kind, [0, 1, None, 1, 0, None])
    for e, a in ((column(kind, [0, 1, 0, 1, 0, None]), holed), (holed, column(kind, [0, 1, 0, 1, 0, None]))):
        (found,) = compared(e, frame(a)).columns
        assert (found.mismatches, found.null_flips) == (0, 1), found
        assert found.worst_keys == ("2",)
        assert not found.ok


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_row_is_found(kind: str) -> None:
    """The others are still compared, and equal."""
    parity = compared(column(kind, FULL), frame(column(kind, FULL)).drop(3))
    assert (parity.missing_keys.count, parity.missing_keys.sample) == (1, ("3",))
    assert not parity.ok
    assert parity.columns[0].ok
    assert parity.rows_compared == ROWS - 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_type_is_found(kind: str) -> None:
    """Text in place of what was there, numbers in place of text, and another kind of the same values."""
    expected = column(kind, FULL)
    others = [pd.Series(range(ROWS), dtype="int16"), pd.Series([f"t{n}" for n in range(ROWS)], dtype=object)]
    for other in others:
        if kind in ("numpy int16", "object text", "pandas string", "pandas string[pyarrow]") or "string" in kind:
            continue
        for e, a in ((expected, other), (other, expected)):
            (found,) = compared(e, frame(a)).columns
            assert not found.dtype_ok or found.mismatches, found
            assert not found.ok


NARROWED = {
    "int64": ("float64", "int32", "uint64"), "float64": ("float32",), "float32": ("float16", "float64"),
    "complex128": ("complex64",), "bool": ("int64",), "Int64": ("Float64", "int32"),
}  # fmt: skip


@pytest.mark.parametrize(("dtype", "other"), [(e, a) for e, others in NARROWED.items() for a in others])
def test_another_width_is_another_type(dtype: str, other: str) -> None:
    """Also where every value is the same."""
    e, a = pd.Series([0, 1, 1], dtype=dtype), pd.Series([0, 1, 1], dtype=other)
    (found,) = compare(frame(e), frame(a), key="id").columns
    assert (found.dtype_ok, found.mismatches, found.ok) == (False, 0, False)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (np.array([[1.0, 2.0]], "f4"), np.array([[1.0, 2.0]], "f8")),
        (np.array([[1]]), np.array([[1.0]])),
        ([1, 2], [1.0, 2.0]),
        ([1, 0], [True, False]),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": True}),
        ({"a": [1]}, {"a": {"0": 1}}),
        ([["1"]], [[1]]),
    ],
)  # fmt: skip
def test_another_type_inside_a_cell_is_found(expected: object, actual: object) -> None:
    """By the type of the column where its cells have one, else by the value."""
    held = [np.empty(3, dtype=object) for _ in range(2)]
    for side, cell in zip(held, (expected, actual), strict=True):
        for n in range(3):
            side[n] = cell
    (found,) = compare(frame(pd.Series(held[0])), frame(pd.Series(held[1])), key="id").columns
    assert not found.ok
