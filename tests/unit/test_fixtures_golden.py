"""Choosing a golden set, and refreshing one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seatrial import Dependency, Pipeline, Reference, capture
from seatrial.errors import FixtureError
from seatrial.fixtures.golden.refresh import difference, history, refresh
from seatrial.fixtures.golden.select import greedy, select
from tests.unit import fixture_data as data

pytest.importorskip("coverage")
RARE = 617  # the one row that is both enormous and from NA


class Store:
    """Knows every customer but the odd ones of ten."""

    def home(self, customer: pd.Series) -> pd.DataFrame:
        known = customer[customer % 20 != 1].drop_duplicates()
        return pd.DataFrame({"customer": known, "home": "DE"})


def features(frame: pd.DataFrame, store: Store) -> pd.DataFrame:
    return frame.merge(store.home(frame["customer"].dropna()), on="customer", how="left")


def score(frame: pd.DataFrame) -> pd.DataFrame:
    risks = []
    for amount in frame["amount"]:
        if amount > 90_000:
            risks.append(1.0)
        elif amount < 0:
            risks.append(float("nan"))
        else:
            risks.append(min(amount / 1_000, 0.99))
    return pd.DataFrame({"id": frame["id"], "risk": risks})


def shop() -> Pipeline:
    store = Dependency("store", url="memory:", connect=lambda _: Store())
    return Pipeline("shop", key="id", dependencies=[store], raw=data.parse, features=features, prediction=score)


@pytest.fixture(scope="module")
def candidates() -> Reference:
    requests = data.requests(1_000)
    requests.loc[RARE, "payload"] = requests.loc[RARE, "payload"].replace('"amount": ', '"amount": 99999')
    return capture(shop(), requests)


def test_the_row_behind_a_rare_branch_is_chosen(candidates: Reference) -> None:
    """One row in a thousand takes the branch; it is in a set of 40, and a branch that none takes is reported."""
    chosen = select(shop(), candidates, 40, boundaries={"prediction.risk": [0.05]}, seed=1)
    assert RARE in chosen.positions
    assert len(chosen.keys) == 40
    assert chosen.covered["branches"] >= 4
    assert any("no candidate takes it" in u and "branch: prediction" in u for u in chosen.uncovered)
    risk = candidates.frame("prediction").set_index("id").loc[list(chosen.keys), "risk"]
    everything = candidates.frame("prediction")["risk"]
    assert risk[risk < 0.05].max() == everything[everything < 0.05].max()
    assert risk[risk >= 0.05].min() == everything[everything >= 0.05].min()


def test_what_matters_is_covered_and_the_rest_is_said(candidates: Reference) -> None:
    """Every country, the null device, a miss of the store and each extreme are in; the same seed chooses the same."""
    chosen = select(shop(), candidates, 40, seed=1)
    raw = candidates.frame("raw").set_index("id").loc[list(chosen.keys)]
    assert set(raw["country"]) == {"DE", "US", "NA"}
    assert raw["device"].isna().any()
    assert raw["amount"].min() == candidates.frame("raw")["amount"].min()
    assert candidates.frame("features").set_index("id").loc[list(chosen.keys), "home"].isna().any()
    assert chosen.covered["dependencies"] == 2
    assert any("does not ask" in u for u in chosen.uncovered)
    assert select(shop(), candidates, 40, seed=1) == chosen
    assert "40 rows cover" in str(chosen)


def test_a_set_without_room_says_what_it_lost(candidates: Reference) -> None:
    """Two rows cannot cover it all, and do not claim to."""
    chosen = select(shop(), candidates, 2, by_branches=False)
    assert len(chosen.positions) == 2
    assert any("(no room)" in u for u in chosen.uncovered)
    assert any("not looked at" in u for u in chosen.uncovered)


def test_greedy_covers_and_then_covers_again() -> None:
    """Three rows cover everything; room for two more is used."""
    duties = [np.array(d) for d in ([0, 1], [2], [3, 4], [0, 4])]
    first = greedy(duties, 6, 3)
    assert all(set(d) & set(first) for d in duties)
    assert len(greedy(duties, 6, 5)) == 5
    assert len(greedy([], 6, 5)) == 0


@pytest.mark.parametrize(
    ("boundaries", "message"),
    [({"prediction.rsik": [0.5]}, "Did you mean 'risk'"), ({"predicton.risk": [0.5]}, "Did you mean 'prediction'")],
)
def test_an_unknown_boundary_is_refused(boundaries, message: str, candidates: Reference) -> None:
    """A misspelt stage or column covers nothing in silence otherwise."""
    with pytest.raises(Exception, match=message):
        select(shop(), candidates, 5, boundaries=boundaries)


def golden(rows: list[int], bump: float = 0.0, seed: int = 0) -> Reference:
    def decide(frame: pd.DataFrame) -> pd.DataFrame:
        return data.decide(frame.assign(risk=frame["risk"] + bump))

    path = Pipeline("shop", key="id", raw=data.parse, prediction=data.score, response=decide)
    return capture(path, data.requests(200, seed).iloc[rows].reset_index(drop=True))


def test_a_refresh_reads_as_a_diff(tmp_path: Path) -> None:
    """Rows added and removed, the stages whose answers moved, who and why: all in the set and its text."""
    first = refresh(tmp_path / "golden", golden([0, 1, 2]), who="Ada", why="first set")
    assert (len(first.added), first.before) == (3, None)
    found = refresh(tmp_path / "golden", golden([1, 2, 5], bump=0.3), who="Grace", why="risk recalibrated")
    assert (found.added, found.removed, found.changed) == (("t000005",), ("t000000",), ())
    assert [(m.stage, m.rows, m.columns["risk"]) for m in found.moved] == [("response", 2, 2)]
    text = str(found)
    assert "+ 1 added: t000005" in text
    assert "- 1 removed: t000000" in text
    assert "stage response: 2 row(s) moved: risk (2)" in text
    said = history(tmp_path / "golden")
    assert [(h["who"], h["why"]) for h in said] == [("Ada", "first set"), ("Grace", "risk recalibrated")]
    assert said[1]["before"] == Reference.load(tmp_path / "golden").manifest["refreshed"][1]["before"]
    assert set(Reference.load(tmp_path / "golden").frame("raw")["id"]) == {"t000001", "t000002", "t000005"}


def test_a_changed_request_is_named(tmp_path: Path) -> None:
    """The same key with another request is a change, told apart from an answer that moved."""
    found = difference(golden([0, 1]), golden([0, 1], seed=1))
    assert found.changed == ("t000000", "t000001")
    assert difference(golden([0, 1]), golden([0, 1])).empty


def test_a_refresh_needs_a_person_and_a_reason(tmp_path: Path) -> None:
    """Without them, and for a set of another path, what stands stays."""
    refresh(tmp_path / "golden", golden([0]), who="Ada", why="first set")
    stands = Reference.load(tmp_path / "golden").digest
    with pytest.raises(FixtureError, match="who and why"):
        refresh(tmp_path / "golden", golden([1]), who="Ada", why=" ")
    other = Pipeline("others", key="id", raw=data.parse, response=data.score)
    with pytest.raises(FixtureError, match="different pipeline"):
        refresh(tmp_path / "golden", capture(other, data.requests(3)), who="Ada", why="new")
    assert Reference.load(tmp_path / "golden").digest == stands
