"""``seatrial fixtures select`` and ``refresh`` as a person uses them: rows chosen, a set renewed, mistakes refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seatrial import Reference
from tests.support import fixture_data as data

Command = Callable[..., Any]
ROOT = Path(__file__).parents[3]
RARE = 617  # the one request whose amount reaches the last branch
PIPELINE = (
    f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
    + """
import pandas as pd
from seatrial import Pipeline
from tests.support import fixture_data

def score(frame):
    risks = []
    for amount in frame["amount"]:
        if amount > 90_000:
            risks.append(1.0)
        else:
            risks.append(min(amount / 400, 0.99))
    return pd.DataFrame({"id": frame["id"], "risk": risks})

pipeline = Pipeline("shop", key="id", raw=fixture_data.parse, prediction=score, response=fixture_data.decide)
"""
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project, and candidate requests beside it of which one takes a branch that no other takes."""
    pytest.importorskip("coverage")
    root = tmp_path / "shop"
    (root / "expectations").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    (root / "pipeline.py").write_text(PIPELINE)
    requests = data.requests(1_000)
    requests.loc[RARE, "payload"] = requests.loc[RARE, "payload"].replace('"amount": ', '"amount": 99999')
    requests.to_parquet(root / "candidates.parquet")
    return root


def ids(requests: pd.DataFrame) -> list[str]:
    return data.parse(requests)["id"].tolist()


def select(seatrial: Command, shop: Path, *options: str, to: str = "golden.parquet") -> Any:
    words = ["fixtures", "select", shop / "candidates.parquet", "--to", shop / to, "--project", shop]
    return seatrial(*words, *options)


def refresh(seatrial: Command, shop: Path, requests: Path, *, who: str = "Ada", why: str) -> Any:
    words = ["fixtures", "refresh", shop / "golden", requests, "--project", shop]
    return seatrial(*words, f"--who={who}", f"--why={why}")


def test_a_golden_set_is_selected_and_refreshed(shop: Path, seatrial: Command) -> None:
    """The request of the rare branch is selected; the set is made of the selected, and its next change is a diff."""
    ran = select(seatrial, shop, "--rows=40", "--boundary", "prediction.risk=0.05", "--boundary=prediction.risk=0.5")
    assert ran.code == 0, ran
    assert "40 rows cover" in ran.out
    assert "no candidate takes it" not in ran.out
    assert f"Wrote {shop / 'golden.parquet'}." in ran.out
    candidates, chosen = (pd.read_parquet(shop / f"{name}.parquet") for name in ("candidates", "golden"))
    assert len(chosen) == 40
    assert candidates.loc[RARE, "payload"] in set(chosen["payload"])
    assert set(chosen["payload"]) <= set(candidates["payload"])

    ran = refresh(seatrial, shop, shop / "golden.parquet", why="first set")
    assert ran.code == 0, ran
    assert "+ 40 added" in ran.out
    assert "refreshed by Ada: first set" in ran.out
    golden = Reference.load(shop / "golden")
    assert golden.requests["payload"].tolist() == chosen["payload"].tolist()

    ran = refresh(seatrial, shop, shop / "golden.parquet", why="nothing new")
    assert (ran.code, "no difference" in ran.out, "is unchanged" in ran.out) == (0, True, True), ran
    assert Reference.load(shop / "golden").digest == golden.digest

    chosen.iloc[1:].to_json(shop / "fewer.jsonl", orient="records", lines=True)
    (shop / "pipeline.py").write_text(PIPELINE.replace("amount / 400", "amount / 800"))
    ran = refresh(seatrial, shop, shop / "fewer.jsonl", who="Grace", why="risk halved")
    assert ran.code == 0, ran
    assert f"- 1 removed: {ids(chosen)[0]}" in ran.out
    assert "stage prediction: " in ran.out
    history = Reference.load(shop / "golden").manifest["refreshed"]
    assert [(h["who"], h["why"], h["before"]) for h in history] == [
        ("Ada", "first set", None), ("Grace", "risk halved", golden.digest)
    ]  # fmt: skip


def test_a_branch_without_a_candidate_is_reported(shop: Path, seatrial: Command) -> None:
    """Without the rare request the branch is listed as not covered, and without a search that none was made."""
    candidates = pd.read_parquet(shop / "candidates.parquet").drop(index=RARE)
    candidates.to_parquet(shop / "candidates.parquet")
    assert "no candidate takes it" in select(seatrial, shop, "--rows=300").out
    ran = select(seatrial, shop, "--rows=300", "--skip-branches")
    assert (ran.code, "branches: they were not examined" in ran.out) == (0, True), ran
    assert select(seatrial, shop, "--rows=300", "--quiet").out == ""


@pytest.mark.parametrize(
    ("options", "to", "message"),
    [
        (["--boundary=prediction=0.5"], "golden.parquet", "is not STAGE.COLUMN=NUMBER. Example"),
        (["--boundary=prediction.risk"], "golden.parquet", "is not STAGE.COLUMN=NUMBER. Example"),
        (["--boundary=prediction.risk=nan"], "golden.parquet", "is not STAGE.COLUMN=NUMBER. Example"),
        (["--boundary=prediction.rsik=0.5"], "golden.parquet", "Did you mean 'risk'"),
        (["--boundary=predicton.risk=0.5"], "golden.parquet", "Did you mean 'prediction'"),
        (["--rows=0"], "golden.parquet", "Give it room for 1 row or more"),
        ([], "golden.csv", "must be a Parquet file other than the candidates"),
        ([], "candidates.parquet", "must be a Parquet file other than the candidates"),
    ],
)
def test_a_selection_that_cannot_be_made_writes_nothing(
    options: list[str], to: str, message: str, shop: Path, seatrial: Command
) -> None:
    """One message that says what to type next; the candidates stay as they are."""
    before = (shop / "candidates.parquet").read_bytes()
    ran = select(seatrial, shop, *options, to=to)
    assert (ran.code, ran.out) == (2, ""), ran
    assert message in " ".join(ran.err.split())
    assert "Traceback" not in ran.err
    assert (shop / "candidates.parquet").read_bytes() == before
    assert not (shop / "golden.parquet").exists()


def test_a_refresh_that_is_refused_leaves_the_set(shop: Path, seatrial: Command) -> None:
    """No name, no reason, or a directory in use: exit code 2, and what is there stays."""
    few = shop / "few.parquet"
    pd.read_parquet(shop / "candidates.parquet").head(20).to_parquet(few)
    for who, why in (("", "first set"), ("Ada", " ")):
        ran = refresh(seatrial, shop, few, who=who, why=why)
        assert (ran.code, "records who and why" in ran.err) == (2, True), ran
    assert not (shop / "golden").exists()
    (shop / "golden").mkdir()
    (shop / "golden" / "notes.txt").write_text("mine")
    ran = refresh(seatrial, shop, few, why="first set")
    assert (ran.code, "is in use" in ran.err) == (2, True), ran
    assert [p.name for p in (shop / "golden").iterdir()] == ["notes.txt"]
