"""Keys of several columns, keys that occur too often, and the order of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.errors import PipelineError, PolicyError
from seatrial.parity.compare import Tolerance, compare

TEXTS = st.sampled_from(["a", "b", "a / b", " / ", "", "a, b"])
KEYS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20, unique=True)


def framed(keys: list[tuple[Any, Any]]) -> pd.DataFrame:
    return pd.DataFrame({"u": [k[0] for k in keys], "t": [k[1] for k in keys], "x": np.arange(len(keys)) * 1.0})


@settings(deadline=None, max_examples=50)
@given(KEYS, st.randoms(use_true_random=False))
def test_a_key_of_several_columns_is_the_tuple_of_them(keys: list[tuple[str, str]], random: Any) -> None:
    expected = framed(keys)
    rows = list(range(len(keys)))
    random.shuffle(rows)
    kept = rows[: random.randint(0, len(rows))]
    actual = expected.iloc[kept].reset_index(drop=True)
    parity = compare(expected, actual, key=("u", "t"))
    assert (parity.missing_keys.count, parity.extra_keys.count) == (len(rows) - len(kept), 0)
    assert parity.duplicate_keys.count == parity.null_keys.count == 0
    assert parity.rows_compared == len(kept)
    assert all(c.mismatches == 0 for c in parity.columns)
    assert parity.ok == (len(kept) == len(rows))


@settings(deadline=None, max_examples=50)
@given(KEYS, st.data())
def test_every_row_beyond_the_first_of_a_key_is_counted(keys: list[tuple[str, str]], data: Any) -> None:
    again = data.draw(st.lists(st.integers(0, len(keys) - 1), min_size=1, max_size=6))
    expected = framed(keys)
    parity = compare(expected, pd.concat([expected, expected.iloc[again]]), key=("u", "t"))
    assert parity.duplicate_keys.count == len(again)
    assert not parity.keys_ok
    assert f"{len(again)} row" in parity.keys_differ
    assert "too many" in parity.keys_differ


COLUMNS = [
    pd.Series([1, 1, 2]), pd.Series([1, 1, 2], dtype="Int64"), pd.Series([1.5, 1.5, 2.0]), pd.Series(["a", "a", "b"]),
    pd.Series(["a", "a", "b"], dtype="category"), pd.Series(["a", "a", "b"], dtype="string[pyarrow]"),
    pd.to_datetime(pd.Series(["2024-01-01", "2024-01-01", "2024-01-02"])), pd.Series([True, True, False]),
    pd.to_datetime(pd.Series(["2024-01-01", "2024-01-01", "2024-01-02"])).dt.tz_localize("UTC").dt.date,
]  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS, ids=lambda c: str(c.dtype))
def test_key_columns_of_every_type_align(column: pd.Series) -> None:
    expected = pd.DataFrame({"k": column, "n": [1, 2, 1], "x": [1.0, 2.0, 3.0]})
    turned = expected.iloc[::-1].reset_index(drop=True)
    assert compare(expected, turned, key=("k", "n")).ok
    wrong = compare(expected, turned.assign(x=[3.0, 2.0, 9.0]), key=("k", "n"))
    assert [(c.column, c.mismatches, c.worst_keys) for c in wrong.columns] == [("x", 1, (f"{column[0]} / 1",))]


def test_a_null_in_any_key_column_is_a_null_key_and_a_type_of_each_is_compared() -> None:
    expected = framed([("a", "x"), ("b", "y"), ("c", "z")])
    holed = expected.assign(t=["x", None, "z"])
    parity = compare(expected, holed, key=("u", "t"))
    assert (parity.null_keys.count, parity.missing_keys.count, parity.keys_ok) == (1, 1, False)
    retyped = compare(expected.assign(t=[1, 2, 3]), expected.assign(t=[1.0, 2.0, 3.0]), key=["u", "t"])
    assert (retyped.key_dtype_ok, retyped.key_dtype_expected) == (False, "string, int64")
    assert retyped.key == "u, t"


def test_what_cannot_name_a_row_is_refused_with_the_column() -> None:
    frame = pd.DataFrame({"u": ["a", "b"], "t": [[1], [2]], "x": [1.0, 2.0]})
    with pytest.raises(PipelineError, match="Key column 't' of the expected frame holds list"):
        compare(frame, frame, key=("u", "t"))
    with pytest.raises(PipelineError, match="no key column 'at'"):
        compare(frame, frame, key=("u", "at"))
    with pytest.raises(PolicyError, match="The key column 'u' has a tolerance"):
        compare(framed([("a", "b")]), framed([("a", "b")]), key=("u", "t"), tolerances={"u": Tolerance()})


def ranked(requests: int = 8, items: int = 5) -> pd.DataFrame:
    """Requests of several items each, the best first."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({
        "request": np.repeat(np.arange(requests), items), "item": np.tile(np.arange(items), requests),
        "score": rng.uniform(size=requests * items),
    })  # fmt: skip
    return frame.sort_values(["request", "score"], ascending=[True, False], ignore_index=True)


def test_a_declared_order_within_requests_is_part_of_the_answer() -> None:
    expected = ranked()
    key, request = ("request", "item"), "request"
    turned = expected.sort_values(["request", "score"], ignore_index=True)
    parity = compare(expected, turned, key=key, request=request, ordered=True)
    assert not parity.ok
    assert (parity.order.requests, parity.order.moved.count, parity.order.moved.sample[:2]) == (8, 8, ("0", "1"))
    one = expected.iloc[[0, 1, 2, 3, 4, 6, 5, *range(7, 40)]]
    assert compare(expected, one, key=key, request=request, ordered=True).order.moved.sample == ("1",)
    # Requests may come in any order, and their rows between each other's: only a request's own order counts.
    between = expected.assign(n=np.tile(np.arange(5), 8)).sort_values(["n", "request"], ascending=[True, False])
    assert compare(expected, between.drop(columns="n"), key=key, request=request, ordered=True).ok


def test_rows_that_are_missing_do_not_make_another_order() -> None:
    expected = ranked()
    parity = compare(expected, expected.drop(index=[1, 7]), key=("request", "item"), request="request", ordered=True)
    assert (parity.missing_keys.count, parity.order.moved.count) == (2, 0)


@pytest.mark.parametrize("ordered", [True, False])
def test_where_a_request_has_one_row_the_order_is_that_of_the_frame(ordered: bool) -> None:
    expected = ranked(1, 12)[["item", "score"]]
    parity = compare(expected, expected[::-1], key="item", ordered=ordered)
    assert parity.ok is not ordered
    assert parity.order.moved.count == 1
    assert (parity.order.sorted_by, parity.order.was, parity.order.now) == (
        ("", "", "") if ordered else ("score", "descending", "ascending")
    )


def test_an_order_that_nobody_made_is_no_sorting() -> None:
    rng = np.random.default_rng(0)
    expected = pd.DataFrame({"id": np.arange(50), "x": rng.uniform(size=50), "n": np.ones(50)})
    assert compare(expected, expected[::-1], key="id").order.sorted_by == ""
    # Ties in another order are no other sorting.
    tied = pd.DataFrame({"id": np.arange(50), "x": np.repeat(np.arange(10.0), 5)})
    moved = tied.iloc[np.lexsort([-tied["id"], tied["x"]])]
    assert compare(tied, moved, key="id").order.sorted_by == ""
    assert compare(tied, moved[::-1], key="id").order.sorted_by == "x"
    few = expected.iloc[:3].sort_values("x")
    assert compare(few, few[::-1], key="id").order.sorted_by == ""  # three rows are soon sorted by chance


@pytest.mark.parametrize(
    ("keys", "dtype"), [([0], "Int64"), ([False], "boolean"), ([0, 1], "Int64"), (["", "a"], "string")], ids=str
)
def test_no_key_is_a_null_key(keys: list[Any], dtype: str) -> None:
    """Also where the number that is stored under a null is the key of the other side."""
    expected = pd.DataFrame({"id": pd.array(keys, dtype), "x": 1.0})
    actual = expected.assign(id=expected["id"].mask(expected["id"] == keys[0]))
    parity = compare(expected, actual, key="id")
    assert (parity.null_keys.count, parity.missing_keys.count, parity.rows_compared) == (1, 1, len(keys) - 1)
    assert not parity.ok
