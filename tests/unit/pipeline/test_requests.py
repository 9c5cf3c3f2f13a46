"""Rows that belong to one request, and batches that part none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.errors import PipelineError
from seatrial.pipeline.requests import batches_of, request_numbers, requests_of

KEYS = st.lists(st.tuples(st.sampled_from(["a", "b", "a b", ""]), st.sampled_from(["", "b", " b", "a b"])), max_size=30)


@settings(deadline=None, max_examples=50)
@given(KEYS)
def test_rows_are_of_one_request_exactly_where_all_key_columns_are_equal(keys: list[tuple[str, str]]) -> None:
    frame = pd.DataFrame(keys, columns=["user", "at"], dtype=object)
    names = list(dict.fromkeys(keys))
    assert request_numbers(frame, ("user", "at")).tolist() == [names.index(k) for k in keys]
    assert [rows.tolist() for rows in requests_of(frame, ("user", "at"))] == [
        [at for at, k in enumerate(keys) if k == name] for name in names
    ]


@settings(deadline=None, max_examples=50)
@given(KEYS, st.integers(1, 7))
def test_batches_hold_every_row_once_and_part_no_request(keys: list[tuple[str, str]], size: int) -> None:
    frame = pd.DataFrame(keys, columns=["user", "at"], dtype=object)
    batches = batches_of(frame, ("user", "at"), size)
    assert sorted(row for rows in batches for row in rows.tolist()) == list(range(len(keys)))
    inside = [{keys[row] for row in rows.tolist()} for rows in batches]
    assert all(len(names) == size for names in inside[:-1])
    assert sum(len(names) for names in inside) == len(set(keys))
    assert all((np.diff(rows) > 0).all() for rows in batches)


def test_a_null_key_and_a_frame_without_the_key_part_every_row() -> None:
    frame = pd.DataFrame({"user": ["a", None, "a", None], "at": [1.0, 1.0, 1.0, np.nan]})
    assert [rows.tolist() for rows in requests_of(frame, ("user", "at"))] == [[0, 2], [1], [3]]
    assert [rows.tolist() for rows in requests_of(frame, ("user", "session"))] == [[0], [1], [2], [3]]
    assert requests_of(frame.iloc[:0], "user") == []


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([7, 3, 7]), pd.Series([7, 3, 7], dtype="Int64"), pd.Series([0.5, 0.25, 0.5]),
        pd.Series(["x", "y", "x"], dtype="category"), pd.Series(["x", "y", "x"], dtype="string[pyarrow]"),
        pd.to_datetime(pd.Series(["2024-01-02", "2024-01-01", "2024-01-02"])).dt.tz_localize("UTC"),
        pd.Series([b"x", b"y", b"x"]), pd.Series([(1, 2), (1, 3), (1, 2)]), pd.Series([True, False, True]),
    ],
    ids=lambda c: str(c.dtype),
)  # fmt: skip
def test_a_key_of_any_type_names_requests(column: pd.Series) -> None:
    frame = pd.DataFrame({"id": column, "n": 1})
    assert request_numbers(frame, "id").tolist() == [0, 1, 0]
    assert request_numbers(frame, ("id", "n")).tolist() == [0, 1, 0]


def test_cells_that_cannot_name_a_row_are_told_by_column_and_type() -> None:
    with pytest.raises(PipelineError, match="Key column 'id' holds cells of type list"):
        requests_of(pd.DataFrame({"id": [[1], [2]]}), "id")
