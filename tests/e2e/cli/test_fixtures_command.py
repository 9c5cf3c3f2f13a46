"""``seatrial fixtures`` as a person uses it: made, checked, shown, shared between versions, and refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seatrial import Outcome, Reference, run
from seatrial.fixtures.store import referred
from seatrial.io.bundle import seal
from seatrial.project import Project
from seatrial.registry import resolve
from seatrial.registry.mlflow.artifacts import store_reference
from seatrial.registry.mlflow.client import client
from seatrial.registry.mlflow.fixtures import FIXTURES_PATH
from seatrial.sinks import html
from tests.support import fixture_data as data

Command = Callable[..., Any]
FOREIGN = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "_MLFLOW_SERVER_ARTIFACT_ROOT")
DECLARED = """
[storage]
max_git_mb = 0.05

[fixtures.shop]
source = "copula"
rows = 200
seed = 5
payload = "payload"
combinations = [["country", "currency", "time.offset"]]
constraints = ["fee < amount + 2"]
max_distance = 0.2

[fixtures.people]
source = "fake"
rows = 50
columns = { id = { sequence = "p{:04d}" }, amount = { like = "amount" } }
payload = "payload"
"""
PIPELINE = (
    f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
    + """
from tests.support import fixture_data

pipeline = fixture_data.pipeline()
"""
)
MOVED = """
from seatrial import Pipeline

def score(frame):
    scored = fixture_data.score(frame)
    return scored.assign(risk=scored["risk"] / 2)

pipeline = Pipeline("shop", key="id", raw=fixture_data.parse, prediction=score, response=fixture_data.decide)
"""

LOADED = """
from pathlib import Path
from seatrial import Pipeline

def score(frame, model):
    return fixture_data.score(frame).assign(risk=float(len(model)))

pipeline = Pipeline(
    "shop", key="id", model=lambda path: Path(path, "MLmodel").read_text(), raw=fixture_data.parse, prediction=score
)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose model has two versions, each from a run of its own, with the same reference."""
    before = {name: os.environ.pop(name, None) for name in FOREIGN}
    root = tmp_path_factory.mktemp("shop")
    (root / "expectations").mkdir()
    (root / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    (root / "pipeline.py").write_text(PIPELINE)
    (root / "expectations" / "fixtures.toml").write_text(DECLARED)
    project = Project.find(root)
    project.activate()
    registry, reference = client(), data.reference(600)
    registry.create_registered_model("shop")
    for _ in range(2):
        made = registry.create_run(registry.get_experiment_by_name("Default").experiment_id)
        registry.log_text(made.info.run_id, "no more than a name", "model/MLmodel")
        store_reference(reference, made.info.run_id)
        registry.create_model_version("shop", f"{made.info.artifact_uri}/model", made.info.run_id)
    yield project
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def digest(project: Project, name: str = "shop") -> str:
    return str(json.loads((project.root / "fixtures" / name / "manifest.json").read_text())["digest"])


def listed(project: Project) -> dict[str, bytes]:
    """Every file of the fixtures, with its content."""
    home = project.root / "fixtures"
    return {p.relative_to(home).as_posix(): p.read_bytes() for p in sorted(home.rglob("*")) if p.is_file()}


@pytest.fixture
def made(shop: Project, seatrial: Command) -> Project:
    """The project with all its fixtures made from version 1."""
    shutil.rmtree(shop.root / "fixtures", ignore_errors=True)
    (shop.root / "expectations" / "fixtures.toml").write_text(DECLARED)
    ran = seatrial("fixtures", "make", "--model", "models:/shop/1", "--project", shop.root)
    assert ran.code == 0, ran
    return shop


def test_versions_share_a_fixture_that_is_stored_once(made: Project, seatrial: Command) -> None:
    """The second version refers to the run of the first; when that run is gone, it stores a copy of its own."""
    shown = seatrial("fixtures", "show", "--project", made.root)
    assert "shop: 200 rows by copula, seed 5" in shown.out
    assert "people: 50 rows by fake" in shown.out
    assert "/shop/" in (made.root / "fixtures" / ".gitignore").read_text().splitlines()
    assert "/people/" not in (made.root / "fixtures" / ".gitignore").read_text().splitlines()
    one, two = resolve("models:/shop/1"), resolve("models:/shop/2")
    link = referred(one)["shop"]
    assert (link.digest, link.run_id) == (digest(made), one.run_id)
    assert seatrial("fixtures", "make", "shop", "--model", "models:/shop/2", "--project", made.root).code == 0
    assert referred(two) == {"shop": link}
    assert not client().list_artifacts(two.run_id, FIXTURES_PATH)
    client().delete_run(one.run_id)
    try:
        assert seatrial("fixtures", "make", "shop", "--model", "models:/shop/2", "--project", made.root).code == 0
        assert referred(two)["shop"].run_id == two.run_id
    finally:
        client().restore_run(one.run_id)
    shutil.rmtree(made.root / "fixtures" / "shop")  # as in a fresh clone: too large for version control
    ran = seatrial("fixtures", "check", "shop", "--model", "models:/shop/2", "--project", made.root)
    assert (ran.code, digest(made)) == (0, link.digest), ran


def test_made_again_in_a_fresh_process_it_is_the_same(made: Project) -> None:
    """All that is declared, with another hash seed: the digests are the same, and the command ends with 0."""
    words = ["fixtures", "check", "--model", "models:/shop/1", "--project", str(made.root)]
    ran = subprocess.run(
        [sys.executable, "-m", "seatrial", *words], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONHASHSEED": "7", "COLUMNS": "200"},
    )  # fmt: skip
    assert ran.returncode == 0, ran
    assert ran.stdout.count("the same when made again") == 2


def edit_a_row(project: Project) -> None:
    path = project.root / "fixtures" / "shop" / "rows.parquet"
    frame = pd.read_parquet(path)
    frame.loc[0, "payload"] = frame.loc[1, "payload"]
    frame.to_parquet(path)


def lose_the_manifest(project: Project) -> None:
    (project.root / "fixtures" / "shop" / "manifest.json").unlink()


def change_a_library(project: Project) -> None:
    root = project.root / "fixtures" / "shop"
    said = json.loads((root / "manifest.json").read_text())
    kept = {k: v for k, v in said.items() if k not in ("files", "digest")}
    seal(root, kept | {"libraries": said["libraries"] | {"numpy": "1.0.0"}})


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (edit_a_row, "truncated or edited"),
        (lose_the_manifest, "no manifest.json"),
        (change_a_library, "numpy was 1.0.0"),
    ],
)
def test_drift_is_reported(broken, words: str, made: Project, seatrial: Command) -> None:
    """An edited row, a lost manifest, another library: 2 and the reason, never a failure of the model."""
    broken(made)
    before = listed(made)
    ran = seatrial("fixtures", "check", "shop", "--model", "models:/shop/1", "--project", made.root)
    assert ran.code == 2
    assert words in ran.out + ran.err
    assert "Traceback" not in ran.err
    assert listed(made) == before


@pytest.mark.parametrize(
    ("name", "said", "message"),
    [
        ("people", ('like = "amount"', 'provider = "nmae"'), "Did you mean 'name'"),
        ("people", ('like = "amount"', 'like = "amuont"'), "The profile has no column 'amuont'"),
        ("people", ("rows = 50", "rwos = 50"), "Did you mean 'rows'"),
        ("shop", ("fee < amount", "fee < amuont"), "cannot be evaluated"),
        ("shop", ("[storage]", "[storages]"), "Did you mean 'storage'"),
        ("shop", ("max_git_mb", "max_gitmb"), "Did you mean 'max_git_mb'"),
        ("shpo", ("", ""), "Did you mean 'shop'"),
    ],
)
def test_what_cannot_be_made_leaves_nothing(name, said, message: str, made: Project, seatrial: Command) -> None:
    """An unknown provider, a column the profile lacks, a misspelt key or name: one message, and what stood stands."""
    pytest.importorskip("faker")
    (made.root / "expectations" / "fixtures.toml").write_text(DECLARED.replace(*said))
    before = listed(made)
    ran = seatrial("fixtures", "make", name, "--model", "models:/shop/1", "--project", made.root)
    assert (ran.code, ran.out) == (2, ""), ran
    assert message in ran.err
    assert listed(made) == before


def test_model_predictions_prove_sameness_and_results_state_it(
    made: Project, seatrial: Command, tmp_path: Path
) -> None:
    """A version's predictions are the reference; code that does not match the version's own reference is refused."""
    words = ["fixtures", "make", "shop", "--predict-with", "models:/shop/1", "--project", made.root]
    ran = seatrial(*words)
    assert ran.code == 0, ran
    assert "predictions of models:/shop/1 recorded as its reference; a pass proves sameness, not correctness" in ran.out
    assert "predicted  by models:/shop/1" in seatrial("fixtures", "show", "shop", "--project", made.root).out
    reference = Reference.load(made.state / "fixtures" / "shop")
    source = reference.manifest["predictions"]
    assert (source["by"], source["fixture_digest"]) == ("models:/shop/1", digest(made))
    verdict = run(data.pipeline(), reference, ["golden"])
    assert verdict.outcome is Outcome.PASS
    assert [f.cause for f in verdict.findings] == ["predictions"]
    html.HtmlReport(tmp_path / "report.html").verdict(verdict)
    for result in (verdict.to_json(), (tmp_path / "report.html").read_text()):
        assert "made of the predictions of models:/shop/1: a pass proves sameness, not correctness" in result
    (made.root / "pipeline.py").write_text(PIPELINE + MOVED)
    try:
        moved = seatrial(*words)
    finally:
        (made.root / "pipeline.py").write_text(PIPELINE)
    assert moved.code == 2
    assert (
        "stage 'prediction' does not match the version's own reference, in risk. Check out the code of that version."
        in moved.err
    )
    assert Reference.load(reference.root).digest == reference.digest


def test_a_golden_set_is_made_with_the_model_of_a_version(made: Project, seatrial: Command, tmp_path: Path) -> None:
    """Stages that take a model get that of --model; without one, the error names the stage."""
    data.requests(60).to_parquet(tmp_path / "candidates.parquet")
    select = ["fixtures", "select", tmp_path / "candidates.parquet", "--to", tmp_path / "golden.parquet", "--rows=10"]
    refresh = ["fixtures", "refresh", tmp_path / "golden", tmp_path / "golden.parquet", "--who=Ada", "--why=first"]
    (made.root / "pipeline.py").write_text(PIPELINE + LOADED)
    try:
        without = seatrial(*select, "--project", made.root)
        ran = [seatrial(*words, "--model=models:/shop/1", "--project", made.root) for words in (select, refresh)]
    finally:
        (made.root / "pipeline.py").write_text(PIPELINE)
    assert without.code == 2, without
    assert "prediction" in without.err
    assert [each.code for each in ran] == [0, 0], ran
    golden = Reference.load(tmp_path / "golden")
    assert len(golden.requests) == 10
    assert set(golden.frame("prediction")["risk"]) == {float(len("no more than a name"))}
