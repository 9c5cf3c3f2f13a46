"""No cell of any kind ends capture with a traceback: it is captured and repeats itself, or is refused by name."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from seatrial import Pipeline, Reference, Stage, capture
from seatrial.errors import SeatrialError
from seatrial.parity.compare import compare

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
import cell_kinds

KINDS = cell_kinds.kinds()
COMPARED_BY_TYPE = ("arrays of no dimension", "Arrow struct", "Arrow map")  # kept; whether equal, parity/ says
REQUESTS = pd.DataFrame({"id": ["a", "b", "c"]})


def pipeline(column):
    return Pipeline("p", key="id", raw=lambda f: f.assign(x=column), last=lambda f: f.assign(n=range(len(f))))


def captured(pipeline):
    """Return the reference and the refusal, one of which is None; any other error is raised."""
    try:
        return capture(pipeline, REQUESTS), None
    except SeatrialError as error:
        return None, str(error)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "bytes of a megabyte"])
def test_a_column_of_every_kind_is_captured(kind):
    """And a second run is the same to the comparison; cells in another order are not."""
    reference, refusal = captured(pipeline(KINDS[kind]))
    if reference is None:
        assert kind in COMPARED_BY_TYPE
        assert "not repeatable" in refusal
        return
    frame = reference.frame("last")
    assert cell_kinds.same_column(frame["x"], KINDS[kind])
    moved = frame.assign(x=frame["x"].iloc[[1, 2, 0]].set_axis(frame.index))
    assert compare(frame, moved, key="id", distributions=False).ok == (kind == "nulls of every kind")


TIMES = np.array(["2026-01-01", "NaT"], "M8[ms]")


@pytest.mark.parametrize("around", [lambda c: c, lambda c: [c], lambda c: {"a": c}, lambda c: [{"a": [None, c]}]])
@pytest.mark.parametrize("other", [np.array([1]), np.array([0.5]), np.array(["a"]), np.array([True]), np.array([])])
def test_arrays_of_times_beside_others_are_compared(around, other):
    """Arrow's inference would end the process over them."""
    column = cell_kinds.objects(around(TIMES), around(other), None)
    reference, _ = captured(pipeline(column))
    assert cell_kinds.same_column(reference.frame("last")["x"], column)


@pytest.mark.parametrize("more", [[], [1.5], ["a"], [1.5, "a"]])
@pytest.mark.parametrize("null", [None, pd.NA, pd.NaT])
def test_nan_beside_another_null_is_kept_apart(null, more):
    column = cell_kinds.objects(*[null, float("nan"), *more, null][:3])
    reference, _ = captured(pipeline(column))
    assert cell_kinds.same_column(reference.frame("last")["x"], column)


CELLS = [cell for column in KINDS.values() for cell in column.astype(object)]
ANY = st.sampled_from([*CELLS, *(cell for cell, _ in cell_kinds.refused().values())])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ANY, min_size=3, max_size=3), st.booleans())
@example([None, np.datetime64("NaT", "s"), pd.NA], False)  # nothing but nulls, of several kinds
def test_any_cells_are_captured_or_refused(cells, nested):
    """Three cells of three kinds, and lists of them."""
    column = cell_kinds.objects(*([c, *cells[:1]] for c in cells) if nested else cells)
    reference, refusal = captured(pipeline(column))
    if reference is None:
        assert "'x'" in refusal or "column(s) x" in refusal
    else:
        assert cell_kinds.same_column(reference.frame("raw")["x"], column)


@pytest.mark.parametrize("cell", [[1], {"a": 1}, np.ones(2), {1}, (1, [2]), None, float("nan"), 1.5, b"\xff", object()])
def test_any_keys_are_captured_or_refused(cell):
    keys = cell_kinds.objects(cell, "b", "c")

    def stage(frame):
        return pd.DataFrame({"id": keys, "x": [1, 2, 3]})

    first = Pipeline("p", key="id", raw=stage, last=lambda f: f)
    second = Pipeline("p", key="id", raw=lambda f: f.assign(n=1), x=stage)
    for made in (first, second):
        _, refusal = captured(made)
        assert refusal is None or "key" in refusal or "'id'" in refusal


def test_an_array_of_payloads_with_named_columns():
    """The key comes from the rows of the stage before."""
    made = Pipeline(
        "p", key="id", raw=lambda f: f.assign(n=1), x=Stage(lambda f: np.arange(6).reshape(3, 2), columns=["a", "b"])
    )
    frame = capture(made, REQUESTS).frame("x")
    assert frame.to_dict("list") == {"id": ["a", "b", "c"], "a": [0, 2, 4], "b": [1, 3, 5]}


@pytest.mark.parametrize("name", ["TZ", "OMP_NUM_THREADS", "LANG"])
def test_the_digest_does_not_follow_the_environment(name, monkeypatch, tmp_path):
    """The environment is stated, and protected, beside it."""
    first = capture(pipeline(KINDS["tuples"]), REQUESTS)
    monkeypatch.setenv(name, "Asia/Tokyo" if name == "TZ" else "3")
    monkeypatch.setattr("seatrial.reference.layout.entries.environment", lambda: {"threads": {name: "3"}})
    second = capture(pipeline(KINDS["tuples"]), REQUESTS)
    assert first.digest == second.digest
    path = second.save(tmp_path / "r") / "manifest.json"
    assert Reference.load(path.parent).manifest["environment"] == {"threads": {name: "3"}}
    path.write_text(path.read_text().replace('"3"', '"4"'))
    with pytest.raises(SeatrialError, match="was edited after it was written"):
        Reference.load(path.parent)
