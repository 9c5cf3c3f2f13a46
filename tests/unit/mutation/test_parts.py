"""The parts of an exam: what is reached, what is changed, what is alike, and what a child may break."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from seatrial.errors import SeatrialError
from seatrial.mutation.equivalence import unlike
from seatrial.mutation.mutants import mutants_of
from seatrial.mutation.operators.frames import KINDS, faults_of
from seatrial.mutation.reachability import reached
from tests.support import shop as exam_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return exam_shop.make(tmp_path_factory.mktemp("shop"))


# --- what is changed -------------------------------------------------------------------------------------


def test_what_stages_reach_is_found_through_files(shop):
    """Functions, helpers and constants by name; not the client of a dependency, the wiring, or what nothing uses."""
    found = {(d.file.name, d.name): d.stages for d in reached(shop.pipeline, shop.folder)}
    assert found == {
        ("pipeline.py", "parse"): ("raw",),
        ("pipeline.py", "price"): ("priced",),
        ("pipeline.py", "respond"): ("response",),
        ("pipeline.py", "LIMIT"): ("priced",),
        ("prices.py", "RATE"): ("priced",),
        ("prices.py", "cents"): ("priced",),
    }


def test_mutants_are_of_the_reached_code_alone(shop):
    """Each is one change at its line; annotations and docstrings stay."""
    mutants = mutants_of(reached(shop.pipeline, shop.folder))
    diffs = [m.diff for m in mutants]
    assert len(set(diffs)) == len(mutants) > 20
    assert "-RATE: float = 1.5\n+RATE: float = 2.5" in diffs
    assert any('frame["amount"] >= LIMIT' in d for d in diffs)
    assert not [d for d in diffs if "UNUSED" in d or "url" in d or "In cents" in d or "EXTRA" in d]
    assert all(m.source.splitlines()[m.line - 1] in m.diff or "\n" in m.diff for m in mutants)


# --- faults on frames ------------------------------------------------------------------------------------


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


def test_every_fault_changes_a_frame_and_leaves_its_input_alone():
    """Each fault of the list fits a column here, and at least one of its uses changes an answer."""
    before = frame()
    changed = set()
    for kind, on in faults_of(before, "id"):
        given = frame()
        if unlike(before, kind.apply(given, *on), "id"):
            changed.add(kind.name)
        assert unlike(before, given, "id") is None, f"{kind.name} wrote into its input"
    assert changed == set(KINDS)


def test_faults_do_what_they_are_called():
    """Some of them, by their numbers."""
    f = frame()
    assert (KINDS["times_1000"].apply(f, "count")["count"] == f["count"] * 1000).all()
    assert KINDS["times_one_hundredth"].apply(f, "price")["price"][1] == Decimal("0.01123")
    assert (KINDS["shifted_values"].apply(f, "other")["other"].to_numpy() == np.roll(f["other"], 1)).all()
    assert (KINDS["shifted_rows"].apply(f, "id")["id"] == f["id"]).all()
    assert KINDS["through_float64"].apply(f, "wide")["wide"][0] == 2**53
    assert KINDS["through_float32"].apply(f, "ratio")["ratio"].dtype == "float64"
    assert KINDS["renamed_category"].apply(f, "kind")["kind"].dtype.name == "category"
    assert KINDS["swapped_columns"].apply(f, "ratio", "other")["other"].equals(f["ratio"].rename("other"))
    assert len(KINDS["dropped_nulls"].apply(f, "wide")) == len(f) - 1


# --- alike -----------------------------------------------------------------------------------------------


def test_alike_means_bit_by_bit():
    """What no tolerance would see is seen: signs of zero, digits of a decimal, orders, the order of categories."""
    f = pd.DataFrame({"id": [1, 2], "x": [0.0, np.nan], "d": [Decimal("1.0"), None], "c": pd.Categorical(["a", "b"])})
    assert unlike(f, f.copy(), "id") is None
    assert unlike(f, f.assign(x=[-0.0, np.nan]), "id").keys == [1]
    assert unlike(f, f.assign(x=[0.0, 1.0]), "id").keys == [2]
    assert unlike(f, f.assign(d=[Decimal("1.00"), None]), "id").keys == [1]
    assert unlike(f, f.assign(x=f["x"].astype("float32")), "id").what == "'x' is float32 instead of float64"
    assert unlike(f, f.iloc[::-1], "id").what == "the rows come in another order"
    assert unlike(f, f[["x", "id", "d", "c"]], "id").what == "the columns come in another order"
    assert unlike(f, f.iloc[:1], "id").keys == [2]
    assert "category" in unlike(f, f.assign(c=f["c"].cat.reorder_categories(["b", "a"])), "id").what
    assert unlike("KeyError", f, "id").what == "it answers what raised KeyError"
    assert unlike(f, "KeyError", "id").what == "it raises KeyError"
    assert unlike("KeyError", "ValueError", "id") is None


def test_a_pipeline_of_no_project_has_no_mutants():
    """Whoever asks for them is told what to do."""
    from seatrial import Pipeline, capture
    from seatrial.mutation.run import seedable

    same = Pipeline("same", key="id", a=lambda f: f, b=lambda f: f)
    reference = capture(same, pd.DataFrame({"id": [1], "x": [2.0]}))
    with pytest.raises(SeatrialError, match="was not loaded from a project"):
        seedable(same, reference)
    assert {s.stage for s in seedable(same, reference, ["frame"])} == {"a", "b"}
    with pytest.raises(SeatrialError, match="not 'frames'"):
        seedable(same, reference, ["frames"])
