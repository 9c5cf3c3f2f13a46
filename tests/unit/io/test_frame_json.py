"""Frames as JSON carries them: what is the same there and back, and what never is."""

import datetime
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import UsageError
from seatrial.io.frame_json import SAFE_INTEGER, as_text, beyond_safe, payloads, projected, read, rows
from seatrial.parity.compare import compare

MOMENT = pd.Timestamp("2025-03-30T01:30:00.123456", tz="Europe/Berlin")
KINDS = {
    "int64": pd.Series([1, -(2**63)], dtype="int64"),
    "uint64": pd.Series([2**64 - 1, 0], dtype="uint64"),
    "Int64": pd.Series([2**53 + 1, None], dtype="Int64"),
    "int8": pd.Series([1, -128], dtype="int8"),
    "float64": pd.Series([0.1, np.nan]),
    "float32": pd.Series([0.1, 1e-30], dtype="float32"),
    "bool": pd.Series([True, False]),
    "boolean": pd.Series([True, None], dtype="boolean"),
    "string": pd.Series(["ä\u0000", None], dtype="string"),
    "object text": pd.Series(["a", None], dtype="object"),
    "category": pd.Series(["x", None], dtype=pd.CategoricalDtype(["y", "x"])),
    "ordered": pd.Series(["x", "y"], dtype=pd.CategoricalDtype(["y", "x"], ordered=True)),
    "zoned": pd.Series([MOMENT, None]),
    "naive": pd.Series([pd.Timestamp("2025-01-01"), pd.NaT]),
    "duration": pd.Series([pd.Timedelta(seconds=1.5), pd.NaT]),
    "list": pd.Series([["a"], []], dtype="object"),
    "decimal": pd.Series([Decimal("0.10"), Decimal(-3)], dtype="object"),
    "date": pd.Series([datetime.date(2025, 1, 2), None], dtype="object"),
}


def through_json(frame, like=None):
    """Send a frame's rows as JSON text and read them back."""
    like = projected(frame if like is None else like)
    return read([json.loads(as_text(row)) for row in rows(frame)], like)


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_comes_back_as_it_is_compared(kind):
    """A frame and its JSON are the same after projection, whatever its type."""
    frame = pd.DataFrame({"id": ["a", "b"], "x": KINDS[kind]})
    parity = compare(projected(frame), through_json(frame), key="id")
    assert parity.ok, parity.columns


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1, max_size=20))
def test_floats_keep_every_digit(values):
    """Python writes the shortest text that reads as the same double."""
    frame = pd.DataFrame({"id": range(len(values)), "x": pd.Series(values, dtype="float64")})
    back = through_json(frame)["x"].to_numpy()
    np.testing.assert_array_equal(back, np.array(values))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_integers_keep_every_digit(values):
    """No integer goes through a float."""
    frame = pd.DataFrame({"id": range(len(values)), "x": pd.Series(values, dtype="int64")})
    assert through_json(frame)["x"].tolist() == values


@pytest.mark.parametrize(
    ("like", "answered"),
    [
        (pd.Series([41]), "41"),
        (pd.Series([1]), True),
        (pd.Series([41]), 41.5),
        (pd.Series([2**53 + 1]), 2**53),
        (pd.Series([True]), 1),
        (pd.Series(["41"], dtype="string"), 41),
        (pd.Series([0.5]), "0.5"),
        (pd.Series([0.5]), True),
        (pd.Series([MOMENT]), "2025-03-30T01:30:00.123456"),
        (pd.Series([MOMENT]), 1743294600),
        (pd.Series([MOMENT]), "not a time"),
        (pd.Series([pd.Timestamp("2025-01-01")]), "2025-01-01T00:00:00Z"),
        (pd.Series([1], dtype="int8"), 1000),
        (pd.Series([["a"]], dtype="object"), "a"),
    ],
)
def test_another_kind_is_never_the_same(like, answered):
    """Text is no number, true is no 1, a moment without its offset is no instant; the comparison sees it."""
    expected = projected(pd.DataFrame({"id": ["a"], "x": like}))
    assert not compare(expected, read([{"id": "a", "x": answered}], expected), key="id").ok


@pytest.mark.parametrize(
    ("like", "answered"),
    [
        (pd.Series([41]), 41.0),
        (pd.Series([1.0]), 1),
        (pd.Series([0.1], dtype="float32"), 0.1),
        (pd.Series([0.1], dtype="float32"), float(np.float32(0.1))),
        (pd.Series([MOMENT]), "2025-03-30T00:30:00.123456Z"),
        (pd.Series([pd.Timedelta(minutes=1)]), "PT1M"),
        (pd.Series([pd.Timedelta(minutes=1)]), 60),
        (pd.Series([Decimal("0.10")], dtype="object"), "0.1"),
        (pd.Series([Decimal("0.10")], dtype="object"), 0.1),
        (pd.Series([np.inf]), None),
    ],
)
def test_what_json_does_not_distinguish_is_the_same(like, answered):
    """41.0 is 41, another offset is the same instant, and infinity has no form but null."""
    expected = projected(pd.DataFrame({"id": ["a"], "x": like}))
    parity = compare(expected, read([{"id": "a", "x": answered}], expected), key="id")
    assert parity.ok, parity.columns


def test_a_field_left_out_is_null_and_a_nested_one_is_taken_apart():
    """``{"a": {"b": 1}}`` is the column ``a.b`` where the frame has one; a missing field is null."""
    like = projected(pd.DataFrame({"id": ["a", "b"], "a.b": pd.array([1, None], dtype="Int64")}))
    back = read([{"id": "a", "a": {"b": 1}}, {"id": "b"}], like)
    assert compare(like, back, key="id").ok


def test_payloads_go_as_they_stand():
    """A payload is sent as its text; rows of fields become objects of strict JSON."""
    assert payloads(pd.DataFrame({"payload": ['{"a":  NaN}']})) == ['{"a":  NaN}']
    frame = pd.DataFrame({"a": [np.nan], "t": [MOMENT], "n": pd.array([2**53 + 1], dtype="Int64")})
    assert json.loads(payloads(frame)[0]) == {"a": None, "t": MOMENT.isoformat(), "n": 2**53 + 1}
    with pytest.raises(UsageError):
        as_text(float("nan"))


def test_integers_that_doubles_lose_are_counted_by_field():
    """Up to 2^53 − 1 every reader keeps them; true is no integer."""
    answers = [{"a": SAFE_INTEGER, "b": SAFE_INTEGER + 1, "c": True, "d": -(2**60)}] * 2
    assert beyond_safe(answers) == {"b": 2, "d": 2}


ARROW = {
    "timestamp": (pa.timestamp("us"), datetime.datetime(2024, 1, 1, 12)),
    "zoned timestamp": (pa.timestamp("ns", "Europe/Berlin"), datetime.datetime(2024, 1, 1, 12)),
    "date": (pa.date32(), datetime.date(2024, 1, 1)),
    "date64": (pa.date64(), datetime.date(2024, 1, 1)),
    "duration": (pa.duration("us"), datetime.timedelta(hours=1)),
    "time": (pa.time64("us"), datetime.time(12)),
    "decimal": (pa.decimal128(5, 2), Decimal("1.50")),
    "float32": (pa.float32(), 0.1),
    "list of float32": (pa.list_(pa.float32()), [0.1, 2.0, None]),
    "list of lists": (pa.list_(pa.list_(pa.int32())), [[1], []]),
    "struct": (pa.struct([("a", pa.float64())]), {"a": 0.1}),
}
OPTIONAL = {
    "flag": [True, None, False], "count": [1, None, 3], "share": [0.5, None, 2.0],
    "span": [datetime.timedelta(1), None, None], "set": [{"a"}, None, set()],
    "list": [[1.0, 2.0], None, []], "array": [np.array([0.1, 2], "f4"), None, np.array([], "f4")],
    "list with NaN": [[0.5, float("nan")], None, []], "dict": [{"a": 1.5, "b": [1]}, None, {}],
}  # fmt: skip
COLUMNS = {
    **{f"Arrow {n}": pd.Series(pd.arrays.ArrowExtensionArray(pa.array([v, None], t))) for n, (t, v) in ARROW.items()},
    **{f"object {name}": pd.Series(cells, dtype=object) for name, cells in OPTIONAL.items()},
    "category of int": pd.Series([1, None], dtype="category"),
}


@pytest.mark.parametrize("case", COLUMNS)
@pytest.mark.parametrize("short", [False, True], ids=["as Python writes", "2.0 as 2, float32 in few digits"])
def test_what_is_equal_over_the_wire_passes(case: str, short: bool) -> None:
    """Optional flags, Arrow's own types and lists of numbers, for all rows and for each alone."""

    def shortened(value: object) -> object:
        if isinstance(value, list):
            return [shortened(item) for item in value]
        if not isinstance(value, float) or not short:
            return value
        return int(value) if value.is_integer() else float(f"{value:.7g}")

    frame = pd.DataFrame({"id": range(len(COLUMNS[case])), "x": COLUMNS[case]})
    wanted = projected(frame)
    answers = [{n: shortened(v) for n, v in json.loads(json.dumps(row)).items()} for row in rows(frame)]
    actual = read(answers, wanted)
    assert compare(wanted, actual, key="id").ok, compare(wanted, actual, key="id").columns
    for n in range(len(frame)):
        assert compare(wanted[n : n + 1], actual[n : n + 1], key="id").ok


@pytest.mark.parametrize(
    ("cells", "answered"),
    [([True, None], [1, None]), ([1, None], [1.5, None]), ([1, None], ["1", None]), ([[1.0], None], [["1"], None]),
     ([[1.5], None], [[True], None]), ([[1], None], [[1.5], None]), ([[1.5], None], [[None], None])],
)  # fmt: skip
def test_another_kind_over_the_wire_fails(cells: list[object], answered: list[object]) -> None:
    """A flag that became a number, a count that became a share or text, and likewise inside lists."""
    wanted = projected(pd.DataFrame({"id": [0, 1], "x": pd.Series(cells, dtype=object)}))
    actual = read([{"id": n, "x": cell} for n, cell in enumerate(answered)], wanted)
    assert not compare(wanted, actual, key="id").ok
