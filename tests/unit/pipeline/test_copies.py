"""Frames that stages may write into are copies, down to what cells hold; the caller's frame is never changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Trial, capture, run
from seatrial.pipeline import LocalReplayer, own_copy


@pytest.mark.parametrize(
    ("cell", "change"),
    [
        ({"v": 1}, lambda c: c.pop("v")),
        ({"v": {"w": [1]}}, lambda c: c["v"]["w"].append(2)),
        ([1, [2]], lambda c: c[1].clear()),
        ({1, 2}, lambda c: c.add(3)),
        (({"v": 1},), lambda c: c[0].clear()),
        (OrderedDict(v=[1]), lambda c: c["v"].append(2)),
        (np.array([1.0, 2.0]), lambda c: c.fill(0)),
        (np.array([{"v": 1}], dtype=object), lambda c: c[0].clear()),
        (bytearray(b"ab"), lambda c: c.clear()),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("before", [[], ["text"], [None], [1.5]], ids=str)
def test_a_cell_of_a_copy_can_be_written_into(cell, change, before) -> None:
    """Whatever stands above it: a column is not judged by its first cell."""
    cells = np.empty(len(before) + 1, dtype=object)
    cells[:-1] = before
    cells[-1] = cell
    frame = pd.DataFrame({"id": range(len(cells)), "cell": pd.Series(cells)}, index=pd.Index(range(5, 5 + len(cells))))
    frame["cell"] = pd.Series(cells, index=frame.index)
    kept = repr(cell)
    copy = own_copy(frame)
    assert copy.index.equals(frame.index)
    assert type(copy["cell"].iloc[-1]) is type(cell)
    change(copy["cell"].iloc[-1])
    assert repr(frame["cell"].iloc[-1]) == kept


def test_cells_that_nobody_can_write_into_or_copy_stay_the_same_objects() -> None:
    lock, text, price = threading.Lock(), "x" * 1000, Decimal("1.5")
    frame = pd.DataFrame({"lock": [lock], "text": pd.Series([text], dtype=object), "price": [price]})
    copy = own_copy(frame)
    assert copy["lock"][0] is lock
    assert copy["text"][0] is text
    assert copy["price"][0] is price


def popping(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"id": frame["id"], "v": [d.pop("v") for d in frame["payload"]]})


def requests() -> pd.DataFrame:
    return pd.DataFrame({"id": range(12), "payload": [{"v": float(n), "w": 0} for n in range(12)]})


def test_a_stage_that_changes_cells_of_its_input_passes_and_changes_nobody_s_frame() -> None:
    """Batches and repetitions get cells of their own, and so do the next stage and the caller of capture."""

    def emptying(frame: pd.DataFrame) -> pd.DataFrame:
        totals = [sum(cells) for cells in frame["cells"]]
        for cells in frame["cells"]:
            cells.clear()
        return frame[["id"]].assign(total=totals)

    given = requests()
    pipeline = Pipeline(
        "p", key="id", raw=popping, features=lambda f: f.assign(cells=[[x, 1.0] for x in f["v"]]), total=emptying
    )
    reference = capture(pipeline, given)
    assert given["payload"].tolist() == requests()["payload"].tolist()
    assert reference.frame("features")["cells"].map(len).eq(2).all()
    verdict = run(pipeline, reference, ["expectations", "golden", "invariants"])
    assert verdict.outcome is Outcome.PASS, verdict.summary
    trial = Trial(pipeline, reference)
    trial.through(pipeline.stages, reference.requests)
    assert list(reference.requests["payload"][0]) == ["v", "w"]


def test_a_replay_leaves_its_batches_and_earlier_results_as_they_are() -> None:
    held: list[pd.DataFrame] = []

    def holding(frame: pd.DataFrame) -> pd.DataFrame:
        for earlier in held:
            earlier["v"] = -1.0
        held.append(popping(frame))
        return held[-1]

    replayer = LocalReplayer(Pipeline("p", key="id", raw=holding, response=lambda f: f))
    batch = requests()
    [[first], [second]] = replayer.replay(["raw"], [batch, batch])
    assert first["v"].tolist() == second["v"].tolist() == list(map(float, range(12)))
    assert list(batch["payload"][0]) == ["v", "w"]


def test_cells_that_pandas_would_read_stay_objects():
    """A whole number that no float holds, and text beside what can be changed."""
    frame = pd.DataFrame({"x": pd.Series([10**400, [1], "a"], dtype=object)})
    own = own_copy(frame)
    assert own["x"].dtype == object
    assert own["x"].tolist() == frame["x"].tolist()
