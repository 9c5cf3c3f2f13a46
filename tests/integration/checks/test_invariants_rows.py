"""Several rows a request: batches are cut between requests, rows are matched by the stage's own key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Stage, Verdict, capture, run
from seatrial.errors import StageError

REQUESTS, ITEMS = 70, 3
KEY = ("id", "item")


def requests() -> pd.DataFrame:
    return pd.DataFrame({"id": [f"r{n}" for n in range(REQUESTS)], "x": np.sin(np.arange(REQUESTS))})


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def candidates(frame: pd.DataFrame) -> pd.DataFrame:
    rows = frame.loc[frame.index.repeat(ITEMS)].reset_index(drop=True)
    item = np.tile(np.arange(ITEMS), len(frame))
    return rows.assign(item=item, score=np.cos(rows["x"] * 7 + item * 3))


def ranked(frame: pd.DataFrame) -> pd.DataFrame:
    rank = frame.groupby("id")["score"].rank(ascending=False)
    before = frame.groupby("id")["score"].shift(fill_value=0.0)
    return frame.assign(rank=rank, before=before)


def ranked_over_the_batch(frame: pd.DataFrame) -> pd.DataFrame:
    return ranked(frame).assign(rank=frame["score"].rank())


def shifted_over_the_batch(frame: pd.DataFrame) -> pd.DataFrame:
    return ranked(frame).assign(before=frame["score"].shift(fill_value=0.0))


def losing(frame: pd.DataFrame) -> pd.DataFrame:
    out = ranked(frame)
    return out[out["rank"] < 3] if frame["id"].nunique() == 1 else out


def best(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.groupby("id", as_index=False, sort=False)["score"].max()


def verdict_of(rank) -> Verdict:
    stages = {"raw": same, "candidates": Stage(candidates, key=KEY), "rank": Stage(rank, key=KEY), "best": best}
    pipeline = Pipeline("p", key="id", **stages)
    return run(pipeline, capture(pipeline, requests()), ["invariants"])


def test_fan_out_ranks_and_shifts_within_a_request_and_fan_in_pass() -> None:
    verdict = verdict_of(ranked)
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert not verdict.errors


@pytest.mark.parametrize(
    ("rank", "cause", "column"),
    [
        (ranked_over_the_batch, "batch-dependent", "rank"),
        (shifted_over_the_batch, "order-dependent", "before"),
        (losing, "row-dependent", None),
    ],
)
def test_what_goes_beyond_a_request_or_loses_one_of_its_rows_is_found_there(rank, cause, column) -> None:
    verdict = verdict_of(rank)
    assert [(f.stage, f.cause, f.column) for f in verdict.errors if f.stage == "rank"] == [("rank", cause, column)]
    assert verdict.first_failing_stage == "rank"


def chosen(frame: pd.DataFrame, *, items: int = ITEMS) -> pd.DataFrame:
    """Which rows there are is the whole answer, as where candidates are chosen."""
    return candidates(frame)[[*KEY]].iloc[[n for n in range(ITEMS * len(frame)) if n % ITEMS < items]]


def test_rows_that_are_a_key_alone_are_an_answer() -> None:
    """A stage that chooses candidates is captured, passes, and fails where it chooses others."""

    def made(choose: Any) -> Pipeline:
        stages = {"choose": Stage(choose, key=KEY), "count": lambda f: f.groupby("id", as_index=False).size()}
        return Pipeline("p", key="id", raw=same, **stages)

    reference = capture(made(chosen), requests())
    verdict = run(made(chosen), reference)
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert next(e.compared for e in verdict.evaluated if e.stage == "choose") == REQUESTS * ITEMS
    fewer = run(made(lambda frame: chosen(frame, items=2)), reference)
    assert fewer.first_failing_stage == "choose"
    assert f"{REQUESTS} of {REQUESTS * ITEMS} reference rows" in fewer.summary


def test_the_key_of_a_request_alone_is_no_answer() -> None:
    """Of several columns as of one."""
    pipeline = Pipeline("p", key=("id", "x"), raw=same, ids=lambda frame: frame[["id", "x"]])
    with pytest.raises(StageError, match="'raw' returned no column beside the keys; there would be nothing to compare"):
        capture(pipeline, requests())
