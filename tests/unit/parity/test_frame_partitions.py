"""Tables compared partition by partition: what is found is what a comparison of the whole finds."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seatrial.errors import PipelineError
from seatrial.parity.compare import compare
from seatrial.parity.result import Parity
from seatrial.parity.streaming.frames.compare import Compared, FrameComparison
from seatrial.parity.streaming.frames.totals import FrameTotals
from seatrial.parity.tolerance import Tolerance

ROWS, PARTS = 3_000, 4
KEY: dict[str, Any] = {"key": ("id",), "request": ("id",)}


def table() -> pd.DataFrame:
    """Rows in the order of their partitions, so that both ways break ties alike."""
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "id": [f"k{n:04d}" for n in range(ROWS)],
            "x": rng.random(ROWS),
            "y": rng.normal(size=ROWS),
            "n": rng.integers(0, 100, ROWS),
            "place": pd.Categorical(rng.choice(["north", "south", "west"], ROWS)),
            "cell": [{"score": float(v), "tags": [int(v * 10)]} for v in rng.random(ROWS)],
        }
    )


def parts(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of each partition: those of one thousand of keys."""
    at = frame["id"].fillna("k0000").astype(str).str[1:2].astype(int).to_numpy() % PARTS
    return [frame[at == n] for n in range(PARTS)]


def totals(comparison: FrameComparison, expected: pd.DataFrame, actual: pd.DataFrame, **how: Any) -> list[FrameTotals]:
    sides = zip(parts(expected), parts(actual), strict=True)
    return [comparison.part(n, was, now, **how) for n, (was, now) in enumerate(sides)]


def by_parts(expected: pd.DataFrame, actual: pd.DataFrame, **how: Any) -> Compared:
    settings = {"ordered": False, "tolerances": {}, **KEY, **how}
    comparison = FrameComparison(rows=len(expected), scale_of=expected, **settings)
    return comparison.settled(reduce(FrameTotals.merge, totals(comparison, expected, actual)))


def few(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[17, "y"], frame.loc[2_400, "y"] = 9.0, np.nan
    frame.at[1_500, "cell"] = {"score": 7.0, "tags": [1]}
    return frame


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "nothing": lambda f: f,
    "a few cells": few,
    "another unit": lambda f: f.assign(x=f["x"] * 100),
    "another unit in one partition": lambda f: f.assign(x=f["x"].where(f.index < 2_000, f["x"] * 100)),
    "nulls filled": lambda f: f.assign(y=f["y"].mask(f["y"] > 2)),
    "another type": lambda f: f.assign(n=f["n"].astype("float32")),
    "labels permuted": lambda f: f.assign(place=f["place"].cat.rename_categories({"north": "south", "south": "north"})),
    "rows missing": lambda f: f.drop(index=[3, 1_003, 2_999]),
    "rows added": lambda f: pd.concat([f, f.head(3).assign(id=["k0000x", "k1000x", "k2000x"])], ignore_index=True),
    "rows twice": lambda f: f.loc[f.index.repeat([2 if n in (5, 2_005) else 1 for n in range(len(f))])],
    "null keys": lambda f: f.assign(id=f["id"].where(f.index != 12)),
    "a column missing": lambda f: f.drop(columns="n"),
    "a column renamed": lambda f: f.rename(columns={"n": "count"}),
    "a column more": lambda f: f.assign(more=1),
    "columns in another order": lambda f: f[[*f.columns[::-1]]],
    "drift": lambda f: f.assign(y=f["y"] + 1e-3),
}


@pytest.mark.parametrize("change", CHANGES)
def test_partitions_add_up_to_the_whole(change):
    """Counts, maxima, keys, causes, types and distributions are those of all rows at once."""
    expected, actual = table(), CHANGES[change](table())
    found = by_parts(expected, actual)
    assert plain(found.parity) == plain(compare(expected, actual, key="id", request="id"))
    assert found.sample == found.parity.rows_compared


def plain(parity: Parity) -> Any:
    """Return a comparison with its pictures left out, whose quantiles may differ in the last digit."""
    cells = [dataclasses.astuple(dataclasses.replace(c, picture=None)) for c in parity.columns]
    rest = dataclasses.astuple(dataclasses.replace(parity, columns=(), renamed={}))
    return rest, cells, dict(parity.renamed)


def test_the_order_of_partitions_makes_no_difference():
    """Merging is associative, and what is merged can be sent to another process."""
    expected, actual = table(), few(CHANGES["rows added"](table()))
    comparison = FrameComparison(rows=ROWS, scale_of=expected.head(500), ordered=False, **KEY)
    a, b, c, d = (pickle.loads(pickle.dumps(each)) for each in totals(comparison, expected, actual))
    one, other = a.merge(b).merge(c).merge(d), a.merge(b.merge(c.merge(d)))
    assert repr(comparison.settled(one).parity) == repr(comparison.settled(other).parity)
    assert one.rows == other.rows
    assert one.columns == other.columns


def test_of_many_rows_a_sample_explains_and_all_are_counted(monkeypatch):
    """What is held does not grow with the rows; the sample says its size."""
    monkeypatch.setattr("seatrial.parity.streaming.frames.compare.SAMPLE", 300)
    monkeypatch.setattr("seatrial.parity.streaming.frames.compare.EACH", 50)
    monkeypatch.setattr("seatrial.parity.streaming.frames.totals.MANY", 80)
    expected = table()
    actual = few(expected.assign(x=expected["x"] * 100)).drop(index=2_500)
    found = by_parts(expected, actual)
    x, y = found.parity.columns[:2]
    assert 200 < found.sample < 400
    assert found.parity.rows_compared == x.rows == x.mismatches == ROWS - 1
    assert (y.mismatches, y.null_flips, set(y.worst_keys)) == (1, 1, {"k0017", "k2400"})
    assert x.worst_keys == compare(expected, actual, key="id").columns[0].worst_keys
    assert x.cause is not None
    assert x.cause.detail.endswith("in the rows looked at, of 2,999 that differ in 2,999")
    assert len(found.expected) < 600
    assert {"k0017", "k2400", "k2500"} <= set(found.expected["id"])


def test_the_input_explains_which_rows_differ():
    """As in a comparison of the whole: the rows in which it is null."""
    expected = table()[["id", "x"]]
    given = expected.assign(x=expected["x"].mask(np.arange(ROWS) % 10 == 0))
    actual = expected.assign(x=expected["x"].where(given["x"].notna(), 5.0))
    comparison = FrameComparison(rows=ROWS, scale_of=expected, ordered=False, **KEY)
    sides = zip(parts(expected), parts(actual), parts(given), strict=True)
    done = [comparison.part(n, was, now, before) for n, (was, now, before) in enumerate(sides)]
    cause = comparison.settled(reduce(FrameTotals.merge, done)).parity.columns[0].cause
    assert cause == compare(expected, actual, key="id", given=lambda: given).columns[0].cause
    assert cause is not None
    assert "'x' of the stage's input is null" in cause.detail


@pytest.mark.parametrize("number", range(PARTS - 1))
def test_what_is_wrong_in_one_partition_is_wrong(number):
    """A type, a column that is missing and one that is new, whichever partition it is in."""
    expected = table()
    comparison = FrameComparison(rows=ROWS, scale_of=expected, ordered=False, **KEY)

    def found(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Parity:
        sides = [(part, change(part) if n == number else part) for n, part in enumerate(parts(expected))]
        done = [comparison.part(n, *side) for n, side in enumerate(sides)]
        return comparison.settled(reduce(FrameTotals.merge, done)).parity

    retyped = found(CHANGES["another type"])
    assert [(c.column, c.dtype_actual, c.rows) for c in retyped.columns if not c.ok] == [("n", "float32", ROWS)]
    missing = found(CHANGES["a column missing"])
    assert (missing.missing_columns, missing.ok, "n" in {c.column for c in missing.columns}) == (("n",), False, False)
    more = found(CHANGES["a column more"])
    assert (more.extra_columns, more.ok) == (("more",), False)


def test_tolerances_are_of_all_rows():
    """A share of the rows may differ, wherever they are; a tolerance is as wide in every partition."""
    expected = table()
    actual = expected.assign(y=expected["y"].where(expected.index >= 30, expected["y"] + 1.0))
    tolerances = {"y": Tolerance(share=0.01)}
    assert by_parts(expected, actual, tolerances=tolerances).parity.ok
    assert not by_parts(expected, actual, tolerances={"y": Tolerance(share=0.009)}).parity.ok


def test_the_order_of_rows_is_that_of_each_request():
    """Rows of a request in another order are found in every partition, and counted."""
    rows = pd.DataFrame({"id": np.repeat([f"k{n:04d}" for n in range(ROWS)], 2), "item": [0, 1] * ROWS})
    rows["score"] = np.random.default_rng(2).random(len(rows))
    turned = rows.copy()
    for n in (10, 4_010):
        turned.iloc[[n, n + 1]] = rows.iloc[[n + 1, n]].to_numpy()
    how: dict[str, Any] = {"key": ("id", "item"), "request": ("id",), "ordered": True}
    found, whole = by_parts(rows, turned, **how).parity, compare(rows, turned, **how)
    assert found.order == whole.order
    assert (found.order.moved.count, found.order.requests, found.ok) == (2, ROWS, False)


def test_empty_partitions_say_nothing():
    """A partition without rows has no types; a table without any is never equal."""
    expected = table().head(900)
    assert by_parts(expected, expected.copy()).parity.ok
    empty = by_parts(table(), table().head(0))
    assert not empty.parity.ok
    assert empty.parity.missing_keys.count == ROWS
    nothing = by_parts(table().head(0), table().head(0))
    assert not nothing.parity.ok


def test_a_frame_without_its_key_is_refused():
    """Whatever partition it is of."""
    comparison = FrameComparison(rows=ROWS, scale_of=table(), ordered=False, **KEY)
    with pytest.raises(PipelineError, match=r"has no key column 'id'"):
        comparison.part(0, table(), table().drop(columns="id"))
