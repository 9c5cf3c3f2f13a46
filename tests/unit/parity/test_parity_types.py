"""What is the same type, and what is the same value: the matrix."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import dateutil.tz
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from seatrial.parity.compare import Tolerance, compare
from seatrial.parity.result import ColumnParity

NAN, INF = float("nan"), float("inf")


def only(expected: object, actual: object, **settings: object) -> ColumnParity:
    """Compare one column."""
    frames = [
        pd.DataFrame({"id": np.arange(len(side)), "x": side})
        for side in (expected, actual)  # type: ignore[arg-type]
    ]
    (column,) = compare(*frames, key="id", **settings).columns  # type: ignore[arg-type]
    return column


def series(values: list[object], dtype: object) -> pd.Series:
    return pd.Series(values, dtype=dtype)


WORDS = ["a", None, "ß", ""]
SAME_TYPE = {
    "object and str": (series(WORDS, object), series(WORDS, "str" if pd.__version__ >= "3" else "string")),
    "object and python strings": (series(WORDS, object), series(WORDS, "string[python]")),
    "object and Arrow strings": (series(WORDS, object), series(WORDS, "string[pyarrow]")),
    "Arrow and large Arrow strings": (
        series(WORDS, pd.ArrowDtype(pa.string())),
        series(WORDS, pd.ArrowDtype(pa.large_string())),
    ),
    "numpy and nullable integers": (series([1, 2], "int64"), series([1, 2], "Int64")),
    "nullable and Arrow integers": (
        series([1, None], "Int64"),
        series([1, None], pd.ArrowDtype(pa.int64())),
    ),
    "numpy and nullable floats": (series([1.5, NAN], "float64"), series([1.5, None], "Float64")),
    "numpy and Arrow floats": (series([1.5, NAN], "float64"), series([1.5, None], pd.ArrowDtype(pa.float64()))),
    "numpy and nullable booleans": (series([True, False], bool), series([True, False], "boolean")),
    "nanoseconds and seconds": (
        series(["2024-01-01", None], "datetime64[ns]"),
        series(["2024-01-01", None], "datetime64[s]"),
    ),
    "numpy and Arrow timestamps": (
        series(["2024-01-01", None], "datetime64[us]"),
        series([dt.datetime(2024, 1, 1), None], pd.ArrowDtype(pa.timestamp("us"))),
    ),
    "zoned timestamps of two units": (
        series(["2024-01-01", None], "datetime64[ns, Europe/Berlin]"),
        series(["2024-01-01", None], "datetime64[s, Europe/Berlin]"),
    ),
    "an offset by two libraries": (
        pd.Series(pd.to_datetime(["2024-01-01", None], utc=True)).dt.tz_convert(dt.timezone(dt.timedelta(hours=1))),
        series(["2024-01-01T00:00Z", None], pd.ArrowDtype(pa.timestamp("us", "+01:00"))),
    ),
    "a zone by two libraries": (
        pd.Series(pd.to_datetime(["2024-01-01", None], utc=True)).dt.tz_convert(ZoneInfo("Europe/Berlin")),
        pd.Series(pd.to_datetime(["2024-01-01", None], utc=True)).dt.tz_convert(dateutil.tz.gettz("Europe/Berlin")),
    ),
    "durations of two units": (
        series([dt.timedelta(1), None], "timedelta64[ns]"),
        series([dt.timedelta(1), None], "timedelta64[s]"),
    ),
    "categories in another order": (
        pd.Series(pd.Categorical(["a", "b", None], ["a", "b"])),
        pd.Series(pd.Categorical(["a", "b", None], ["c", "b", "a"])),
    ),
    "object and Arrow lists": (
        series([[1, 2], None, []], object),
        series([[1, 2], None, []], pd.ArrowDtype(pa.list_(pa.int64()))),
    ),
    "object and Arrow decimals": (
        series([Decimal("1.50"), None], object),
        series([Decimal("1.50"), None], pd.ArrowDtype(pa.decimal128(9, 2))),
    ),
    "object and Arrow dates": (
        series([dt.date(2024, 1, 1), None], object),
        series([dt.date(2024, 1, 1), None], pd.ArrowDtype(pa.date32())),
    ),
    "an optional flag as objects": (series([True, None], object), series([True, None], "boolean")),
    "an optional count as objects": (series([1, None], object), series([1, None], "Int64")),
    "an optional share as objects": (series([0.5, None], object), series([0.5, None], "Float64")),
    "an optional count as Arrow's": (series([1, None], object), series([1, None], pd.ArrowDtype(pa.int64()))),
    "dicts in another order of names": (series([{"a": 1, "b": 2}], object), series([{"b": 2, "a": 1}], object)),
    "structs in another order of names": (
        series([{"a": 1, "b": "x"}, None], pd.ArrowDtype(pa.struct([("a", pa.int64()), ("b", pa.string())]))),
        series([{"a": 1, "b": "x"}, None], pd.ArrowDtype(pa.struct([("b", pa.string()), ("a", pa.int64())]))),
    ),
    "decimals of another scale": (series([Decimal("1.0")], object), series([Decimal("1.00")], object)),
    "lists of two units": (
        series([[dt.datetime(2024, 1, 1)]], pd.ArrowDtype(pa.list_(pa.timestamp("us")))),
        series([[dt.datetime(2024, 1, 1)]], pd.ArrowDtype(pa.large_list(pa.timestamp("ns")))),
    ),
    "strings and nothing but null": (series(["a", None], object)[1:], series([None], object)),
}


@pytest.mark.parametrize("case", SAME_TYPE)
def test_storage_is_no_difference(case: str) -> None:
    """One logical type held in two ways is the same column."""
    expected, actual = SAME_TYPE[case]
    for column in (only(expected, actual), only(actual, expected)):
        assert column.ok, column


OTHER_TYPE = {
    "int64 and float64": (series([1, 2], "int64"), series([1, 2], "float64")),
    "nullable int64 and float64": (series([1, None], "Int64"), series([1, NAN], "float64")),
    "int64 and int32": (series([1, 2], "int64"), series([1, 2], "int32")),
    "int64 and uint64": (series([1, 2], "int64"), series([1, 2], "uint64")),
    "float64 and float32": (series([0.5, NAN], "float64"), series([0.5, NAN], "float32")),
    "bool and int": (series([True, False], bool), series([1, 0], "int64")),
    "naive and aware": (
        series(["2024-01-01"], "datetime64[ns]"),
        series(["2024-01-01"], "datetime64[ns]").dt.tz_localize("UTC"),
    ),
    "two time zones": (
        series(["2024-01-01"], "datetime64[ns]").dt.tz_localize("UTC"),
        series(["2024-01-01"], "datetime64[ns]").dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
    ),
    "category and string": (series(["a", None], "category"), series(["a", None], object)),
    "category of int and int": (series([7, 8], "category"), series([7, 8], "int64")),
    "ordered and unordered": (
        pd.Series(pd.Categorical(["a"], ["a", "b"], ordered=True)),
        pd.Series(pd.Categorical(["a"], ["a", "b"])),
    ),
    "two orders": (
        pd.Series(pd.Categorical(["a"], ["a", "b"], ordered=True)),
        pd.Series(pd.Categorical(["a"], ["b", "a"], ordered=True)),
    ),
    "decimal and float": (series([Decimal("0.5")], object), series([0.5], "float64")),
}


@pytest.mark.parametrize("case", OTHER_TYPE)
def test_another_type_is_a_finding_though_the_values_are_equal(case: str) -> None:
    """The values are still compared, and found equal."""
    expected, actual = OTHER_TYPE[case]
    for column in (only(expected, actual), only(actual, expected)):
        assert not column.dtype_ok
        assert not column.ok
        assert (column.mismatches, column.null_flips) == (0, 0), column


@pytest.mark.parametrize("plain", [series([True, False], bool), series([1, 2], "int64"), series([1.5, 2], float)])
def test_plain_values_that_became_objects_are_another_type(plain: pd.Series) -> None:
    """Libraries refuse them; but objects that became plain, as JSON makes them, and objects beside a null are not."""
    objects = plain.astype(object)
    assert not only(plain, objects).dtype_ok
    assert only(objects, plain).ok


DIFFER = {
    "integers beyond 2^53": (series([2**53 + 1], "int64"), series([2**53], "int64")),
    "integers beyond 2^53 as float": (series([2**53 + 1], "int64"), series([2.0**53], "float64")),
    "signed and unsigned beyond 2^63": (series([-1], "int64"), series([2**64 - 1], "uint64")),
    "nullable integers beyond 2^53": (series([2**53 + 1, None], "Int64"), series([2**53, None], "Int64")),
    "infinities": (series([INF], float), series([-INF], float)),
    "infinity and the largest float": (series([INF], float), series([1.7976931348623157e308], float)),
    "a float and infinity": (series([1.0], float), series([INF], float)),
    "small probabilities": (series([1e-9], float), series([5e-9], float)),
    "text and number": (series(["41"], object), series([41], "int64")),
    "mixed text and number": (series(["a", 41], object), series(["a", "41"], object)),
    "mixed one and True": (series(["a", 1], object), series(["a", True], object)),
    "text and bytes": (series(["a"], object), series([b"a"], object)),
    "case": (series(["a"], object), series(["A"], object)),
    "a nanosecond": (
        series(["2024-01-01"], "datetime64[ns]"),
        series(["2024-01-01 00:00:00.000000001"], "datetime64[ns]"),
    ),
    "a nanosecond against seconds": (
        series(["2024-01-01 00:00:00.000000001"], "datetime64[ns]"),
        series(["2024-01-01"], "datetime64[s]"),
    ),
    "a date beyond nanoseconds": (
        series(["2024-01-01"], "datetime64[ns]"),
        series([np.datetime64("9999-01-01", "s")], "datetime64[s]"),
    ),
    "categories by value, not code": (
        pd.Series(pd.Categorical(["a"], ["a", "b"])),
        pd.Series(pd.Categorical(["b"], ["b", "a"])),
    ),
    "a category never seen": (pd.Series(pd.Categorical(["a"])), pd.Series(pd.Categorical(["z"]))),
    "decimals": (series([Decimal("1.50")], object), series([Decimal("1.51")], object)),
    "list items": (series([[1, 2]], object), series([[1, 3]], object)),
    "list order": (series([[1, 2]], object), series([[2, 1]], object)),
    "list lengths": (series([[1, 2], [3]], object), series([[1, 2], [3, 4]], object)),
    "null in a list": (series([[1.0, 2.0]], object), series([[1.0, None]], object)),
    "NaN and null in lists": (series([[1.0, NAN]], object), series([[1.0, None]], object)),
    "NaN and null in dicts": (series([{"a": NAN}], object), series([{"a": None}], object)),
    "empty and null in lists": (series([[1], []], object), series([[1], [1]], object)),
    "dicts": (series([{"a": 1}], object), series([{"a": 1, "b": None}], object)),
    "structs": (
        series([{"a": 1}], pd.ArrowDtype(pa.struct([("a", pa.int64())]))),
        series([{"a": 2}], pd.ArrowDtype(pa.struct([("a", pa.int64())]))),
    ),
    "complex": (series([1 + 1j], complex), series([1 + 2j], complex)),
    "lone surrogates": (series(["\ud800"], object), series(["\ud801"], object)),
    "durations": (series([dt.timedelta(1)], None), series([dt.timedelta(2)], None)),
}


@pytest.mark.parametrize("case", DIFFER)
def test_another_value_is_one_mismatch(case: str) -> None:
    """Each differs, in either direction, and is equal to itself."""
    expected, actual = DIFFER[case]
    for column in (only(expected, actual), only(actual, expected)):
        assert column.mismatches == 1, column
        assert column.null_flips == 0
        assert not column.ok
    assert only(expected, expected).ok
    assert only(actual, actual).ok


EQUAL = {
    "zeros of both signs": (series([0.0], float), series([-0.0], float)),
    "infinities": (series([INF, -INF], float), series([INF, -INF], float)),
    "NaN and NA": (series([NAN, 1.0], float), series([None, 1.0], "Float64")),
    "NaN of another bit pattern": (
        series([NAN], float),
        pd.Series(np.array([0x7FF8000000000001], "u8").view("f8")),
    ),
    "None and NaN in objects": (series(["a", None], object), series(["a", NAN], object)),
    "NaN inside dicts": (series([{"a": NAN}], object), series([{"a": float("nan")}], object)),
    "arrays in cells": (series([np.array([1.0, 2.0])], object), series([[1.0, 2.0]], object)),
}


@pytest.mark.parametrize("case", EQUAL)
def test_equal_values_are_equal(case: str) -> None:
    """Null equals null, -0.0 equals 0.0."""
    expected, actual = EQUAL[case]
    assert only(expected, actual).ok
    assert only(actual, expected).ok


NULLABLE = ["float64", "float32", "Int64", "Float64", "boolean", "category", "string", object, "datetime64[ns]"]


@pytest.mark.parametrize("dtype", [*NULLABLE, pd.ArrowDtype(pa.int32()), pd.ArrowDtype(pa.list_(pa.int64()))])
@pytest.mark.parametrize("lost", [True, False], ids=["value to null", "null to value"])
def test_null_equals_nothing_but_null(dtype: object, lost: bool) -> None:
    """A null flip is counted apart and never allowed by a share."""
    value = {"string": "a", "datetime64[ns]": pd.Timestamp(0), "boolean": False}.get(str(dtype), 0)
    value = [0] if "list" in str(dtype) else value
    full, holed = series([value, value, None], dtype), series([value, None, None], dtype)
    column = only(full, holed) if lost else only(holed, full)
    assert (column.mismatches, column.null_flips) == (0, 1), column
    assert column.worst_keys == ("1",)
    assert not column.ok
    numeric = str(dtype) in {"float64", "float32", "Int64", "Float64", "datetime64[ns]"}
    generous = {"tolerances": {"x": Tolerance(share=1.0, atol=1e9 if numeric else None)}}
    assert not (only(full, holed, **generous) if lost else only(holed, full, **generous)).ok


@pytest.mark.parametrize(
    ("dtype", "near", "far"),
    [("float64", 1 + 9e-10, 1 + 2e-9), ("float32", 1 + 9e-6, 1 + 2e-5), ("float16", 1.0009765625, 1.002)],
)
def test_default_tolerance_is_of_the_dtype(dtype: str, near: float, far: float) -> None:
    """Each float has a default tolerance, and no more."""
    assert only(series([1.0], dtype), series([near], dtype)).ok
    assert not only(series([1.0], dtype), series([far], dtype)).ok


def test_tolerance_of_the_expected_type_holds_across_types() -> None:
    """A float32 answer to float64 training is held to float64."""
    assert only(series([0.1], "float64"), series([0.1], "float32")).mismatches == 1


def test_lists_of_floats_have_the_tolerance_of_floats() -> None:
    """An embedding re-associated within tolerance is the same embedding when that is allowed."""
    e, a = series([[0.1, 0.2]], object), series([[0.1, 0.2 + 1e-12]], object)
    assert only(e, a).ok
    found = only(e, a, tolerances={"x": Tolerance(rtol=1e-13)})
    assert (found.mismatches, found.worst_path) == (1, "x[1]")
