"""The parts of a mutation test: what stages reach, what is changed, and what counts as a difference."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from seatrial.errors import SeatrialError
from seatrial.mutation.code_changes import code_changes
from seatrial.mutation.equivalence import differing
from seatrial.mutation.operators.frames import OPERATORS, applicable_operators
from seatrial.worker.reachability import reached
from tests.support import small_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return small_shop.make(tmp_path_factory.mktemp("shop"))


# --- what is changed -------------------------------------------------------------------------------------


def test_what_stages_reach_is_found_through_files(shop):
    """Functions, helpers and constants by name; not the client of a dependency, the wiring, or what nothing uses."""
    found = {(d.file.name, d.name): d.stages for d in reached(shop.pipeline, shop.folder).definitions}
    assert found == {
        ("pipeline.py", "parse"): ("raw",),
        ("pipeline.py", "price"): ("priced",),
        ("pipeline.py", "respond"): ("response",),
        ("pipeline.py", "LIMIT"): ("priced",),
        ("prices.py", "RATE"): ("priced",),
        ("prices.py", "cents"): ("priced",),
    }


def test_code_changes_are_of_the_reached_code_alone(shop):
    """Each is one change at its line; annotations and docstrings stay."""
    changes = code_changes(reached(shop.pipeline, shop.folder).definitions)
    diffs = [c.diff for c in changes]
    assert len(set(diffs)) == len(changes) > 20
    assert "-RATE: float = 1.5\n+RATE: float = 2.5" in diffs
    assert any('frame["amount"] >= LIMIT' in d for d in diffs)
    assert not [d for d in diffs if "UNUSED" in d or "url" in d or "In cents" in d or "EXTRA" in d]
    assert all(c.source.splitlines()[c.line - 1] in c.diff or "\n" in c.diff for c in changes)


# --- frame operators -------------------------------------------------------------------------------------


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 40
    text = pd.Series(rng.choice(["ann", "bob", "007", None], n), dtype="string")
    return pd.DataFrame({
        "id": [f"k{i}" for i in range(n)],
        "ratio": np.where(rng.random(n) < 0.1, np.nan, rng.normal(100, 50, n)),
        "other": rng.normal(size=n),
        "count": rng.integers(1, 9, n),
        "wide": pd.array([2**53 + 2 * i + 1 for i in range(n - 1)] + [None], dtype="Int64"),
        "price": [Decimal(f"{i}.123") for i in range(n)],
        "name": text,
        "kind": pd.Categorical(rng.choice(["x", "y"], n), categories=["x", "y", "z"]),
        "flag": rng.random(n) < 0.5,
        "at": pd.date_range("2025-03-01 01:30", periods=n, freq="7h", tz="UTC"),
        "tags": [["a", "b"][: i % 3] for i in range(n)],
    })  # fmt: skip


def test_every_operator_changes_a_frame_and_leaves_its_input_alone():
    """Each operator applies to a column here, and at least one of its uses changes the frame."""
    before = frame()
    changed = set()
    for operator, on in applicable_operators(before, "id"):
        given = frame()
        after = operator.apply(given, *on)
        if differing(before, after, "id") or not after.index.equals(pd.RangeIndex(len(after))):
            changed.add(operator.name)
        assert differing(before, given, "id") is None, f"{operator.name} wrote into its input"
    assert changed == set(OPERATORS)


def test_operators_do_what_they_are_called():
    """Some of them, by their numbers."""
    f = frame()
    assert (OPERATORS["times_1000"].apply(f, "count")["count"] == f["count"] * 1000).all()
    assert OPERATORS["times_one_hundredth"].apply(f, "price")["price"][1] == Decimal("0.01123")
    assert (OPERATORS["shifted_values"].apply(f, "other")["other"].to_numpy() == np.roll(f["other"], 1)).all()
    assert (OPERATORS["shifted_rows"].apply(f, "id")["id"] == f["id"]).all()
    assert OPERATORS["through_float64"].apply(f, "wide")["wide"][0] == 2**53
    assert OPERATORS["through_float32"].apply(f, "ratio")["ratio"].dtype == "float64"
    assert OPERATORS["renamed_category"].apply(f, "kind")["kind"].dtype.name == "category"
    assert OPERATORS["swapped_columns"].apply(f, "ratio", "other")["other"].equals(f["ratio"].rename("other"))
    assert len(OPERATORS["dropped_nulls"].apply(f, "wide")) == len(f) - 1


# --- equality --------------------------------------------------------------------------------------------


def test_equal_means_bit_by_bit():
    """What no tolerance would show is found: signs of zero, digits of a decimal, orders, the order of categories."""
    f = pd.DataFrame({"id": [1, 2], "x": [0.0, np.nan], "d": [Decimal("1.0"), None], "c": pd.Categorical(["a", "b"])})
    assert differing(f, f.copy(), "id") is None
    assert differing(f, f.assign(x=[-0.0, np.nan]), "id").keys == [1]
    assert differing(f, f.assign(x=[0.0, 1.0]), "id").keys == [2]
    assert differing(f, f.assign(d=[Decimal("1.00"), None]), "id").keys == [1]
    assert differing(f, f.assign(x=f["x"].astype("float32")), "id").what == "'x' is float32 instead of float64"
    assert differing(f, f.iloc[::-1], "id").what == "the rows are in another order"
    assert differing(f, f[["x", "id", "d", "c"]], "id").what == "the columns are in another order"
    assert differing(f, f.iloc[:1], "id").keys == [2]
    assert "category" in differing(f, f.assign(c=f["c"].cat.reorder_categories(["b", "a"])), "id").what
    assert differing("KeyError", f, "id").what == "it returns a frame where the original raises KeyError"
    assert differing(f, "KeyError", "id").what == "it raises KeyError"
    assert differing("KeyError", "ValueError", "id") is None


def test_a_pipeline_of_no_project_has_no_mutants():
    """The error says what to do instead."""
    from seatrial import Pipeline, capture
    from seatrial.mutation.run import mutants_of

    same = Pipeline("same", key="id", a=lambda f: f, b=lambda f: f)
    reference = capture(same, pd.DataFrame({"id": [1], "x": [2.0]}))
    with pytest.raises(SeatrialError, match="was not loaded from a project"):
        mutants_of(same, reference)
    assert {s.stage for s in mutants_of(same, reference, ["frame"])} == {"a", "b"}
    with pytest.raises(SeatrialError, match=r"Kind of mutant 'frames' is not known. .*Did you mean 'frame'"):
        mutants_of(same, reference, ["frames"])
