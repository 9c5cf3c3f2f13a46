"""A version that did not change is validated from earlier results, which say so; whatever changed is run and judged."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow.sklearn
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from seatrial import Outcome, Sink, Verdict
from seatrial.io.loading import load_file
from seatrial.isolation import prestart
from seatrial.orchestration.results.asked import asked
from seatrial.orchestration.runner import run_flow
from seatrial.project import Project
from seatrial.promotion.attestation import FILE
from seatrial.promotion.verify import verify
from seatrial.registry import resolve
from seatrial.registry.mlflow.client import client
from tests.support.hash_seeds import replay_in_one

pytestmark = pytest.mark.server
TINY = Path(__file__).with_name("tiny")
URI = "models:/tiny-cached/1"
HELPER = "def times(x):\n    return x * 2.0\n"


class Recorder(Sink):
    """Records the verdict of a flow, and where its files are."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self.folder = Path()

    def verdict(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)

    def results(self, directory: Path) -> None:
        self.folder = directory


@pytest.fixture(scope="module", autouse=True)
def _one_fresh_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        replay_in_one(patch)
        yield


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The workers that were started."""
    begun: list[str] = []
    process = prestart.Process

    def start(*arguments: Any, **more: Any) -> Any:
        begun.append("worker")
        return process(*arguments, **more)

    monkeypatch.setattr(prestart, "Process", start)
    return begun


def validate(project: Project, *, reused: bool = True, **parameters: Any) -> SimpleNamespace:
    """Validate as the command does."""
    recorder, given = Recorder(), {"model_uri": URI, "project": str(project.root), **parameters}
    with asked(reused):
        run_flow(project, "validate", given, lambda: "", [recorder])
    [verdict] = recorder.verdicts
    cached = {(e.check, e.stage) for e in verdict.evaluated if e.cached}
    return SimpleNamespace(verdict=verdict, folder=recorder.folder, cached=cached, cases=len(verdict.evaluated))


@pytest.fixture(scope="module")
def project(payments: Project, prefect_api: str, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose stage calls a module beside it, with a version of the model registered."""
    root = tmp_path_factory.mktemp("cached") / "tiny"
    shutil.copytree(TINY, root, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pipeline.py", "train.py", "pyproject.toml"):
        text = (root / name).read_text().replace('"tiny"', '"tiny-cached"')
        text = text.replace('frame["x"] * 2.0', 'helper_of_tiny.times(frame["x"])')
        text = text.replace("from seatrial import Pipeline", "import helper_of_tiny\n\nfrom seatrial import Pipeline")
        (root / name).write_text(text)
    (root / "helper_of_tiny.py").write_text(HELPER)
    load_file(root / "train.py").main(skewed=False)
    found = Project.find(root)
    (found.state).mkdir()
    return found


@pytest.fixture(scope="module")
def first(project: Project) -> SimpleNamespace:
    return validate(project)


@pytest.fixture(scope="module")
def passed(project: Project, first: SimpleNamespace) -> SimpleNamespace:
    return validate(project, only=["golden"])


def statement(folder: Path) -> dict[str, Any]:
    payload = json.loads((folder / FILE).read_text())["payload"]
    said: dict[str, Any] = json.loads(base64.b64decode(payload))["predicate"]["seatrial"]
    return said


def test_an_unchanged_version_is_validated_from_the_results_of_its_last_run(
    project: Project, first: SimpleNamespace, started: list[str]
) -> None:
    """The verdict is the same, no worker starts, and report, statement and summary name the run."""
    assert first.verdict.outcome is Outcome.PASS, first.verdict.to_json()
    assert not first.cached
    again = validate(project)
    assert again.verdict.outcome is Outcome.PASS
    assert len(again.cached) == again.cases == first.cases > 5
    assert started == []
    same = ("findings", "measurements", "path", "reference_digest", "policy_digest", "subject", "dependencies", "seed")
    assert [getattr(again.verdict, n) for n in same] == [getattr(first.verdict, n) for n in same]
    [run] = {e.run for e in again.verdict.evaluated}
    assert f"{again.cases} cases are cached: their results are from the run of {run}." in report(again)
    assert again.verdict.summary.endswith(f"; {again.cases} cached")
    assert set(statement(again.folder)["cached"].values()) == {run}
    assert statement(first.folder)["cached"] == {}
    assert {p.name for p in again.folder.rglob("*")} == {p.name for p in first.folder.rglob("*")}
    assert verify(project.root, URI).allowed


def report(ran: SimpleNamespace) -> str:
    return (ran.folder / "report.html").read_text()


def skewed_pipeline(project: Project) -> None:
    text = (project.root / "pipeline.py").read_text()
    (project.root / "pipeline.py").write_text(text.replace('times(frame["x"])', 'times(frame["x"]) + 0.5'))


def skewed_helper(project: Project) -> None:
    (project.root / "helper_of_tiny.py").write_text(HELPER.replace("2.0", "2.5"))


def strict_policy(project: Project) -> None:
    (project.root / "expectations" / "features.py").write_text(
        "import great_expectations.expectations as gxe\n\n\n"
        "def expectations(reference):\n"
        '    return [gxe.ExpectColumnMaxToBeBetween(column="x", max_value=1.0)]\n'
    )


def skewed_model(project: Project) -> None:
    """Put other weights in the place of those that were registered."""
    other = LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0]}), [0.0, 3.0])
    with tempfile.TemporaryDirectory() as folder:
        mlflow.sklearn.save_model(other, f"{folder}/model", pip_requirements=["scikit-learn"])
        for path in Path(f"{folder}/model").glob("model.*"):
            shutil.copy(path, files_of_the_model() / path.name)


def files_of_the_model() -> Path:
    return Path(client().get_logged_model(resolve(URI).model_id).artifact_location.removeprefix("file://"))


@contextmanager
def restored(*folders: Path) -> Iterator[None]:
    """Put the files of folders back as they were when the block ends; what a project has in its state stays."""
    files = [p for f in folders for p in f.rglob("*") if p.is_file() and ".seatrial" not in p.relative_to(f).parts]
    before = {path: path.read_bytes() for path in files}
    try:
        yield
    finally:
        for folder in folders:
            for path in [p for p in folder.rglob("*.py") if ".seatrial" not in p.relative_to(folder).parts]:
                if path not in before:
                    path.unlink()
        for path, content in before.items():
            path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "check", "stage"),
    [
        (skewed_pipeline, "golden", "features"), (skewed_helper, "golden", "features"),
        (strict_policy, "expectations", "features"), (skewed_model, "golden", "prediction"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)  # fmt: skip
def test_a_planted_fault_is_found_after_a_pass(
    project: Project, passed: SimpleNamespace, change: Callable[[Project], None], check: str, stage: str
) -> None:
    """Whatever was changed, the cases run again."""
    with restored(project.root, files_of_the_model()):
        change(project)
        found = validate(project, only=[check])
    assert found.verdict.outcome is Outcome.FAIL, found.verdict.to_json()
    assert found.verdict.first_failing_stage == stage
    assert not found.cached


def test_a_damaged_result_is_run_again(project: Project, passed: SimpleNamespace, started: list[str]) -> None:
    """The others are used; the worker starts for the one. Without a cache every case runs."""
    assert len(validate(project, only=["golden"]).cached) == passed.cases
    assert started == []
    entries = [path for path in (project.state / "cache").glob("*/*/*") if not path.name.startswith("plan-")]
    kept = [path for path in entries if b'"check":"golden","stage":"raw"' in path.read_bytes()]
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:-3] + b"}}}")
    again = validate(project, only=["golden"])
    assert again.verdict.outcome is Outcome.PASS
    assert started
    assert again.cached == {("golden", "features"), ("golden", "prediction")}
    assert not validate(project, only=["golden"], reused=False).cached
