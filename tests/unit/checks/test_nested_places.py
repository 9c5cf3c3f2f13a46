"""A difference inside a cell says where in the cell it is, and no name that may be a value."""

from __future__ import annotations

import pandas as pd
import pytest

from seatrial import Pipeline, capture, run

REQUESTS = pd.DataFrame({"id": [f"t-{n}" for n in range(50)], "x": range(50)})


def raw(frame):
    return frame


def answered(cell):
    return lambda frame: frame[["id"]].assign(result=[cell(x) for x in frame["x"]])


@pytest.mark.parametrize(
    ("was", "now", "place"),
    [
        (lambda x: {"label": "ab"[x % 2], "n": x}, lambda x: {"label": "ab"[x % 3 > 0], "n": x}, "result.label"),
        (
            lambda x: {"boxes": [{"score": 1.0}, {"score": x / 3}]},
            lambda x: {"boxes": [{"score": 1.0}, {"score": round(x / 3, 2)}]},
            "result.boxes[1].score",
        ),
        (lambda x: {"who is it?": x / 3}, lambda x: {"who is it?": x / 4}, "result['…']"),
        (lambda x: [[x, x], [x, x]], lambda x: [[x, x], [x, x + 1]], "result[1][1]"),
    ],
)
def test_the_place_inside_a_cell_is_named(was, now, place):
    trained = Pipeline("p", key="id", raw=raw, response=answered(was))
    served = Pipeline("p", key="id", raw=raw, response=answered(now))
    verdict = run(served, capture(trained, REQUESTS), ["expectations"])
    assert f"; most at {place}." in verdict.summary
