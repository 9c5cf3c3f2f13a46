"""Private fixtures: the ledger, what may be read, drawing from a release, and telling neighbours apart."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from seatrial import Pipeline, Reference, capture
from seatrial.errors import FixtureError
from seatrial.fixtures import spec, spec_file
from seatrial.fixtures.make import check, make, show
from seatrial.fixtures.sources.private.audit import distinguish
from seatrial.fixtures.sources.private.budget import LEDGER, BudgetExceeded, entries, spend
from seatrial.fixtures.sources.private.mechanism import rho_of
from seatrial.fixtures.sources.private.model import Public, Released, Step
from seatrial.fixtures.sources.private.source import publicly

BUDGET = spec.Budget(epsilon=1.5, delta=1e-4)
PRIVATE = {
    "source": "private",
    "rows": 500,
    "epsilon": 1.0,
    "delta": 1e-5,
    "columns": {
        "plan": {"values": ["basic", "pro", "gold"], "nulls": 0},
        "age": {"cuts": [18, 30, 50, 90], "decimals": 0},
        "city": {"paid": True},
    },
}


def people(rows: int = 3_000) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    plan = rng.choice(["basic", "pro", "gold"], rows, p=[0.6, 0.3, 0.1])
    age = np.where(plan == "basic", rng.integers(18, 40, rows), rng.integers(35, 90, rows))
    city = rng.choice(["Bern", "Oslo"], rows, p=[0.7, 0.3]).astype(object)
    city[0] = "Longyearbyen"  # one person alone
    years = [str(a) if a % 9 else "" for a in age]  # text, as from a CSV file, with gaps
    return pd.DataFrame({"id": [f"p{n}" for n in range(rows)], "plan": plan, "age": years, "city": city})


@pytest.fixture(scope="module")
def reference() -> Reference:
    path = Pipeline("people", key="id", raw=lambda f: f, features=lambda f: f)
    return capture(path, people())


def pay(directory: Path, epsilon: float = 1.0, pipeline: str = "people"):
    return spend(directory, BUDGET, pipeline=pipeline, data="sha256:x", fixture="f", epsilon=epsilon, delta=1e-5)


def test_the_budget_refuses_the_second_spend(tmp_path: Path) -> None:
    """What is left is said, and a refused spend leaves no entry; another pipeline has its own people."""
    pay(tmp_path)
    with pytest.raises(BudgetExceeded, match=r"there is 0.5, 9e-05 left after 1 release"):
        pay(tmp_path)
    assert len(entries(tmp_path)) == 1
    pay(tmp_path, 0.5)
    pay(tmp_path, 1.5, "others")
    with pytest.raises(BudgetExceeded):
        pay(tmp_path, 1e-6)


def test_an_edited_or_lost_ledger_is_refused(tmp_path: Path) -> None:
    """Taking an entry out, changing one, or deleting the file does not give budget back."""
    pay(tmp_path, 0.5)
    entry = pay(tmp_path, 0.5)
    whole = json.loads((tmp_path / LEDGER).read_text())
    cheaper = [whole["entries"][0], whole["entries"][1] | {"epsilon": 0.1}]
    for edited in (whole["entries"][1:], whole["entries"][:1], cheaper):
        (tmp_path / LEDGER).write_text(json.dumps(whole | {"entries": edited}))
        with pytest.raises(FixtureError, match="was edited"):
            pay(tmp_path, 0.1)
    (tmp_path / LEDGER).write_text("{")
    with pytest.raises(FixtureError, match="cannot be read"):
        pay(tmp_path, 0.1)
    (tmp_path / LEDGER).unlink()
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "manifest.json").write_text(json.dumps({"privacy": {"entry": entry.id}}))
    with pytest.raises(FixtureError, match="the ledger was lost"):
        pay(tmp_path, 0.1)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({}, "say what is publicly known"),
        ({"values": ["a"], "paid": True}, "say what is publicly known"),
        ({"values": ["a", "b"]}, "not every one of its 'values' is of type int64"),
    ],
)
def test_nothing_is_read_from_private_data_unpaid(column, message: str) -> None:
    """A column without public values, cuts or payment is refused."""
    with pytest.raises(FixtureError, match=message):
        publicly(pa.table({"n": [1, 2]}), {"n": spec.Column(**column)})


def test_text_has_no_cuts() -> None:
    """Cuts are for numbers."""
    with pytest.raises(FixtureError, match="is no number"):
        publicly(pa.table({"n": ["a"]}), {"n": spec.Column(cuts=(0.0, 1.0))})


def released() -> Released:
    columns = {
        "plan": Public("string", ("basic", "pro"), nullable=False),
        "age": Public("int64", cuts=(18.0, 30.0, 90.0)),
        "fee": Public("double", cuts=(0.0, 0.01, 5.0), decimals=2),
    }
    steps = (
        Step("plan", (), np.array([0.75, 0.25, 0.0])),
        Step("age", ("plan",), np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])),
        Step("fee", (), np.array([0.5, 0.5, 0.0])),
    )
    return Released(columns, steps)


def test_drawing_follows_the_release() -> None:
    """Shares, dependence, bounds and decimals are those of the release; the same seed gives the same rows."""
    rows = released().sample(20_000, 3)
    frame = rows.to_pandas()
    assert rows == Released.from_json(released().to_json()).sample(20_000, 3)
    assert rows != released().sample(20_000, 4)
    assert (frame["plan"] == "basic").mean() == pytest.approx(0.75, abs=0.02)
    pro = frame[frame["plan"] == "pro"]
    assert pro["age"].isna().mean() == pytest.approx(0.5, abs=0.03)
    assert (pro["age"] < 30).mean() == pytest.approx(0.2, abs=0.03)
    assert frame["age"].min() >= 18
    assert frame["age"].max() < 90
    assert (frame["fee"] == 0).mean() == pytest.approx(0.5, abs=0.02)


def test_rho_gives_back_epsilon() -> None:
    """rho + 2 sqrt(rho ln(1/delta)) is epsilon."""
    rho = rho_of(1.0, 1e-6)
    assert rho + 2 * np.sqrt(rho * np.log(1e6)) == pytest.approx(1.0, abs=1e-12)


def counted(noise: float):
    """Return a release of a count with Laplace noise of scale ``1 / noise``, or with none."""
    rng = np.random.default_rng(1)
    return lambda rows: rows + (rng.laplace(0, 1 / noise) if noise else 0.0)


def test_a_generator_without_noise_is_told_apart() -> None:
    """With its noise turned off the same release breaks its promise; with it, it does not."""
    assert distinguish(counted(1.0), 10, 11, epsilon=1.0, delta=1e-6, releases=400).ok
    found = distinguish(counted(0.0), 10, 11, epsilon=1.0, delta=1e-6, releases=100)
    assert not found.ok
    assert "contradicts the promised 1" in str(found)
    assert not distinguish(counted(8.0), 10, 11, epsilon=1.0, delta=1e-6, releases=400).ok


def test_too_few_releases_are_no_test() -> None:
    """A test that could not fail is refused."""
    with pytest.raises(FixtureError, match="could not fail"):
        distinguish(counted(0.0), 10, 11, epsilon=3.0, delta=1e-6, releases=30)


def test_without_opendp_the_message_says_what_to_install(
    reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is spent and nothing written when OpenDP is not there."""
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    with pytest.raises(FixtureError, match=r"pip install 'seatrial\[dp\]'"):
        make(spec_file.declared("x", PRIVATE), tmp_path, reference=reference, budget=BUDGET)
    assert not list(tmp_path.rglob("*"))


def test_a_private_fixture_end_to_end(reference: Reference, tmp_path: Path) -> None:
    """Released once, drawn for ever: rare paid values stay out, the second release is refused, nothing is re-read."""
    wanted = spec_file.declared("people", PRIVATE)
    with pytest.raises(FixtureError, match=r"\[budget\]"):
        make(wanted, tmp_path, reference=reference)
    fixture = make(wanted, tmp_path, reference=reference, budget=BUDGET)
    frame = fixture.frame
    assert list(frame.columns) == ["id", "plan", "age", "city"]
    assert set(frame["plan"]) <= {"basic", "pro", "gold"}
    assert set(frame["city"].dropna()) == {"Bern", "Oslo"}
    assert (frame["age"] == "").mean() == pytest.approx(0.11, abs=0.06)
    assert frame.loc[frame["age"] != "", "age"].astype("int64").between(18, 89).all()
    assert (frame["plan"] == "basic").mean() == pytest.approx(0.6, abs=0.08)
    assert fixture.manifest["privacy"]["epsilon"] == 1.0
    assert fixture.manifest["reference"] is None
    assert "epsilon 1, delta 1e-05" in show(fixture.root)
    assert check(fixture.root).ok
    more = make(spec_file.declared("people", PRIVATE | {"rows": 50, "seed": 9}), tmp_path)
    assert len(more.frame) == 50
    with pytest.raises(BudgetExceeded):
        make(spec_file.declared("again", PRIVATE), tmp_path, reference=reference, budget=BUDGET)
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith(".")) == ["people", LEDGER]
