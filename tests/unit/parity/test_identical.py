"""Two frames are the same to a function only where nothing that it could look at differs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seatrial.parity.streaming.frames.identical import identical

COLUMNS: dict[str, tuple[Any, Any]] = {
    "float": (np.array([1.0, np.nan, 0.0]), np.array([1.0, np.nan, -0.0])),
    "float32": (np.float32([1, 2, 3]), np.float32([1, 2, 3.0000002])),
    "integer": ([1, 2, 3], [1, 2, 4]),
    "boolean": ([True, False, True], [True, True, True]),
    "text": (["a", "b", "c"], ["a", "b", "C"]),
    "time": (pd.to_datetime(["2026-01-01", None, "2026-01-03"]), pd.to_datetime(["2026-01-01"] * 3)),
    "zone": ([datetime(2026, 1, n, tzinfo=UTC) for n in (1, 2, 3)], [datetime(2026, 1, 1, tzinfo=UTC)] * 3),
    "category": (pd.Categorical(["a", "b", "a"]), pd.Categorical(["a", "b", "b"])),
    "nullable": (pd.array([1, None, 3], "Int64"), pd.array([1, 2, 3], "Int64")),
    "objects": (np.array(["a", "b", "c"], dtype=object), np.array(["a", "b", "d"], dtype=object)),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_cell_that_differs_is_seen(kind: str) -> None:
    one, other = (pd.DataFrame({"id": [1, 2, 3], "x": cells}) for cells in COLUMNS[kind])
    assert identical(one, one.copy())
    assert not identical(one, other)


FRAME = pd.DataFrame({"id": ["a", "b", "c"], "x": [1.0, 2.0, 3.0]})
OTHERS = {
    "order of columns": FRAME[["x", "id"]],
    "order of rows": FRAME[::-1].reset_index(drop=True),
    "type": FRAME.astype({"x": "float32"}),
    "index": FRAME.set_index(pd.RangeIndex(3, 0, -1)),
    "kind of index": FRAME.set_axis([0, 1, 2]),
    "labels of index": FRAME.set_axis(["a", "b", "c"]),
    "name of index": FRAME.rename_axis("n"),
    "rows": FRAME[:2],
    "columns": FRAME.assign(y=1),
    "attributes": FRAME.assign(),
    "categories": FRAME.assign(id=pd.Categorical(FRAME["id"], categories=["c", "b", "a"])),
}
OTHERS["attributes"].attrs["unit"] = "EUR"
OTHERS["name of columns"] = FRAME.rename_axis(columns="kind")
OTHERS["class"] = type("Own", (pd.DataFrame,), {})(FRAME)
OTHERS["step of index"] = FRAME.set_index(pd.RangeIndex(0, 30, 10))


@pytest.mark.parametrize("what", OTHERS)
def test_all_that_a_stage_could_look_at_counts(what: str) -> None:
    base = FRAME.assign(id=pd.Categorical(FRAME["id"])) if what == "categories" else FRAME
    assert not identical(base, OTHERS[what])
    assert not identical(OTHERS[what], base)


def test_what_looks_alike_is_not_the_same() -> None:
    """An index of one row by another range, one of times with a frequency, and text that numpy made."""
    one = pd.DataFrame({"id": ["a"]})
    assert not identical(one, one.set_index(pd.RangeIndex(0, 5, 5)))
    times = pd.date_range("2026-01-01", periods=3, freq="D")
    assert not identical(FRAME.set_index(times), FRAME.set_index(pd.DatetimeIndex(times, freq=None)))
    text = [np.array(["a", "b"], dtype=object), np.array([np.str_("a"), np.str_("b")], dtype=object)]
    assert not identical(*(pd.DataFrame({"x": pd.Series(cells, dtype=object)}) for cells in text))


def test_what_cannot_be_told_apart_is_not_the_same() -> None:
    """A stage is then run twice, which is never wrong."""
    lists = pd.DataFrame({"id": [1, 2], "x": [[1], [2]]})
    assert not identical(lists, lists.copy())
    masked = pd.DataFrame({"id": [1, 2], "x": pd.array([0.0, None], "Float64")})
    assert not identical(masked, masked.copy())


def test_an_index_of_labels_is_compared_with_its_labels() -> None:
    labelled = FRAME.set_axis(["a", "b", "c"])
    assert identical(labelled, labelled.copy())
    assert not identical(labelled, FRAME.set_axis(["a", "b", "d"]))
    assert not identical(labelled, FRAME.set_axis([0, 1, 2]))
