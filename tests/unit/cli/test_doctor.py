"""``seatrial doctor`` reads files and stores, runs nothing of the project, and says what to type."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from seatrial.cli.start.doctor import files, machine, servers
from seatrial.cli.start.doctor.lines import Line
from seatrial.project import Project

PIPELINE = """
import pandas as pd
from features import build
from seatrial import Pipeline, Service

pipeline = Pipeline("p", key="id", raw=build, response=build, service=Service(["python", "app.py", "{port}"]))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that lacks nothing but a model."""
    for name in ("MLFLOW_TRACKING_URI", "SEATRIAL_LEDGER_URL", "SEATRIAL_SIGNING_KEY", "SEATRIAL_PUBLIC_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    (tmp_path / "features.py").write_text("def build(frame):\n    return frame\n")
    return settings(tmp_path)


def settings(root: Path, text: str = "") -> Project:
    (root / "pyproject.toml").write_text(f'[tool.seatrial]\npipeline = "pipeline.py:pipeline"\nmodels = ["p*"]\n{text}')
    return Project.find(root)


def states(lines: list[Line]) -> dict[str, str]:
    return {line.subject: line.state for line in lines}


def store(file: Path, *names: str) -> None:
    file.parent.mkdir(exist_ok=True)
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE model_versions (name TEXT, version INTEGER)")
        made.executemany("INSERT INTO model_versions VALUES (?, 1)", [(name,) for name in names])
    made.close()


def test_a_whole_pipeline_is_read_and_not_run(project: Project) -> None:
    """What it imports is looked for beside it and in the environment; nothing is imported."""
    project.pipeline_file.write_text(PIPELINE + "raise SystemExit('run')\n")
    found = list(files.pipeline_file(project))
    assert states(found) == {"pipeline": "ok", "imports": "ok", "service": "ok"}


@pytest.mark.parametrize(
    ("old", "new", "says", "advice"),
    [
        ("pipeline = ", "pipelin = ", "'pipeline'", "Did you mean 'pipelin'?"),
        ("import pandas as pd", "import pandaz", "line 2 imports 'pandaz', which is not", "-m pip install"),
        ('"python"', '"gunicornn"', "'gunicornn', which is neither in", "Install it there"),
        ("Pipeline(", "Pipeline((", "line 6: ", "The file does not parse."),
    ],
)
def test_what_is_wrong_with_a_pipeline_is_missing(old: str, new: str, says: str, advice: str, project: Project) -> None:
    """With its line, and what to type."""
    project.pipeline_file.write_text(PIPELINE.replace(old, new, 1))
    found = [line for line in files.pipeline_file(project) if line.state == "missing"]
    assert len(found) == 1
    assert says in found[0].found
    assert advice in found[0].found


def test_lines_to_complete_are_named(project: Project) -> None:
    project.pipeline_file.write_text(PIPELINE.replace("import pandas as pd", "import pandas as pd  # EDIT: why"))
    assert [line.found for line in files.pipeline_file(project) if line.state == "note"] == [
        "pipeline.py has lines marked EDIT: 2"
    ]


def test_no_pipeline_names_the_nearest(project: Project) -> None:
    project.pipeline_file.rename(project.root / "pipelines.py")
    (line,) = files.pipeline_file(project)
    assert (line.state, "Did you mean 'pipelines.py'?" in line.found) == ("missing", True)


def test_settings_of_the_service_are_read(project: Project) -> None:
    """None is fine, wrong ones are not."""
    assert [line.state for line in files.expectations(project)] == ["ok"]
    project.expectations.mkdir()
    (project.expectations / "service.toml").write_text("[contract]\nunknwon = 1\n")
    (line,) = files.expectations(project)
    assert line.state == "missing"
    assert "'unknwon' is not known" in line.found


@pytest.mark.parametrize("uri", ["databricks", "databricks://staging", "arn:aws:sagemaker:eu-west-1:1:server/a"])
def test_a_hosted_store_is_not_looked_for_on_this_disk(
    uri: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither there nor missing: it answers when a version is looked up."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    (line,) = servers.model_store(project)
    assert (line.state, "is hosted" in line.found) == ("note", True)


def test_the_store_of_models_is_looked_into(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which one, what says so, what is there; and the other one, where the models are in that."""
    (line,) = servers.model_store(project)
    assert (line.state, "(from the default) is not there yet" in line.found) == ("missing", True)
    store(project.state / "mlflow.db", "other")
    store(project.root / "mlflow.db", "pears", "pears", "plums", "other")
    first, second = servers.model_store(project)
    assert (first.state, second.state) == ("missing", "note")
    assert "no version of a model named p*; registered there: other" in first.found
    assert "has pears (2 versions), plums (1 version)" in second.found
    assert f"export MLFLOW_TRACKING_URI=sqlite:///{project.root}/mlflow.db" in second.advice
    named = settings(project.root, 'tracking_uri = "sqlite:///mlflow.db"\n')
    (line,) = servers.model_store(named)
    assert line.state == "ok"
    assert "(from [tool.seatrial] tracking_uri): pears (2 versions)" in line.found
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.root}/features.py")
    line = next(servers.model_store(named))
    assert line.state == "missing"
    assert "(from MLFLOW_TRACKING_URI) cannot be read" in line.found


def test_a_password_is_not_shown() -> None:
    assert servers.shown("postgresql://ann:s3cret@db/x") == "postgresql://ann:***@db/x"


def test_a_key_that_is_not_there_is_missing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert states(list(servers.ledger(project))) == {"ledger": "ok", "keys": "ok"}
    monkeypatch.setenv("SEATRIAL_SIGNING_KEY", "/nowhere/key.pem")
    assert any(line.state == "missing" and "/nowhere/key.pem" in line.found for line in servers.ledger(project))


def test_releases_are_compared_with_what_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is too new, and one that is not there."""
    assert next(machine.versions()).state == "ok"
    monkeypatch.setattr(machine.metadata, "requires", lambda _: ["pandas<1", "no-such-package", "other; extra == 'x'"])
    line = next(machine.versions())
    assert line.state == "missing"
    assert "and <1 is needed; no-such-package is not installed" in line.found


def test_an_interpreter_that_is_not_there_is_missing(project: Project) -> None:
    (line,) = machine.worker(settings(project.root, 'python = ".venv/bin/python"\n'))
    assert (line.state, line.found) == ("missing", "there is no interpreter .venv/bin/python")
