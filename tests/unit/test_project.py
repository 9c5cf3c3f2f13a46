"""A project is found from any folder below it; a misspelt setting or a broken pipeline file is one message."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from seatrial.errors import PolicyError, ProjectError
from seatrial.project import Project

PIPELINE = """
from seatrial import Pipeline

pipeline = Pipeline("p", key="id", raw=lambda f: f, features=lambda f: f)
other = 3
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "path.py").write_text(PIPELINE)
    (tmp_path / "expectations").mkdir()
    settings(tmp_path, 'pipeline = "code/path.py:pipeline"')
    return tmp_path


def settings(root, text):
    (root / "pyproject.toml").write_text(f"[project]\nname = 'x'\n[tool.seatrial]\n{text}\n")


def test_a_project_is_found_from_below(root):
    """The nearest pyproject.toml with the table; one without it, on the way up, is passed by."""
    deep = root / "a" / "b"
    deep.mkdir(parents=True)
    (root / "a" / "pyproject.toml").write_text("[project]\nname = 'inner'\n")
    (deep / "pyproject.toml").write_text("tool = 3\n")
    project = Project.find(deep)
    assert project == Project.find(root)
    assert (project.root, project.state, project.flows) == (root, root / ".seatrial", root / "flows")
    assert project.pipeline().name == "p"
    assert project.pipeline().source == (root / "code" / "path.py", "pipeline")
    assert project.policy(project.pipeline()).stages == {}


def test_folders_can_be_named(root):
    """Every folder of the layout may be another."""
    settings(root, 'pipeline = "code/path.py:pipeline"\nexpectations = "rules"\nflows = "f"\nstate = "/var/s"')
    project = Project.find(root)
    assert (project.expectations, project.flows, str(project.state)) == (root / "rules", root / "f", "/var/s")
    with pytest.raises(PolicyError, match="There is no policy at"):
        project.policy(project.pipeline())


def test_projects_of_different_names_are_called_differently(tmp_path):
    """On shared servers; what packages take for one name is one."""
    called = {}
    for name in ("shop", "My_Shop.2", "my-shop-2", "Shop 1", "shop+1", "магазин", "店"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "a.py:b"\n', encoding="utf-8")
        called[name] = Project.find(folder).name
    assert (called["shop"], called.pop("My_Shop.2"), called["my-shop-2"]) == ("shop", "my-shop-2", "my-shop-2")
    assert len(set(called.values())) == len(called)
    assert all(re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name) for name in called.values())


def test_no_project_says_how_to_make_one(tmp_path):
    """Neither here nor above: both ways on are named."""
    with pytest.raises(ProjectError, match=r"no seatrial project at .* or above it.*'seatrial init --here'.*--project"):
        Project.find(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('pipelin = "a.py:b"', r"\[tool.seatrial\]: setting 'pipelin' is not known.*Did you mean 'pipeline'"),
        ("pipeline = 3", r"'pipeline' must be \"path/to/file.py:name\"; found 3. Example: pipeline ="),
        ('pipeline = ["a.py:b"]', r"'pipeline' must be \"path/to/file.py:name\"; found \[\"a.py:b\"\]"),
        ("", "required setting 'pipeline' is missing. Example: pipeline = \"path/to/file.py:name\""),
        ('pipeline = "code/path.py"', '\'pipeline\' must be "path/to/file.py:name"; found "code/path.py"'),
        ('pipeline = ":pipeline"', '\'pipeline\' must be "path/to/file.py:name"; found ":pipeline"'),
        ('pipeline = "x', "pyproject.toml is not TOML"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(text, says, root):
    """Misspelt, of another type, missing: where, what is allowed, the nearest match."""
    settings(root, text)
    with pytest.raises(ProjectError, match=says) as caught:
        Project.find(root)
    assert "pyproject.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("code/path.py:pipelin", "Pipeline 'pipelin' is not known. Known: pipeline. Did you mean 'pipeline'"),
        ("code/path.py:other", "'other' is a int, not a seatrial.Pipeline. Pipelines there: pipeline."),
        ("code/none.py:pipeline", r"There is no file .*none\.py"),
    ],
)
def test_a_pipeline_that_is_not_there_is_said(file, says, root):
    """Another name, another kind of thing, no file."""
    settings(root, f'pipeline = "{file}"')
    with pytest.raises(ProjectError, match=says):
        Project.find(root).pipeline()


def test_a_pipeline_file_that_does_not_parse_is_one_message(root):
    """File and line, and no traceback."""
    (root / "code" / "path.py").write_text("x = 1\npipeline = Pipeline('p'\n")
    with pytest.raises(ProjectError, match=r"path\.py, line 2: .* The file does not parse\.$"):
        Project.find(root).pipeline()


def test_local_state_stays_in_the_project_unless_it_is_told_otherwise(root, monkeypatch):
    """MLflow and Prefect live in ``.seatrial``; what the environment says stands."""
    for name in [n for n in os.environ if n.startswith(("MLFLOW", "_MLFLOW", "PREFECT"))]:
        monkeypatch.delenv(name)
    with pytest.MonkeyPatch.context() as inner:
        inner.setattr(os, "environ", {**os.environ})
        project = Project.find(root)
        project.activate()
        assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{root / '.seatrial' / 'mlflow.db'}"
        assert os.environ["PREFECT_HOME"] == str(root / ".seatrial" / "prefect")
    with pytest.MonkeyPatch.context() as inner:
        inner.setattr(os, "environ", {"MLFLOW_TRACKING_URI": "http://there", "PREFECT_API_URL": "http://here"})
        project.activate()
        assert os.environ["MLFLOW_TRACKING_URI"] == "http://there"
        assert "PREFECT_HOME" not in os.environ
        assert "_MLFLOW_SERVER_ARTIFACT_ROOT" not in os.environ


def test_the_model_store_is_the_one_that_training_made(root):
    """A script that sets nothing writes MLflow's default store beside it; the settings name any other."""
    assert Project.find(root).model_store() == (f"sqlite:///{root}/.seatrial/mlflow.db", root / ".seatrial/artifacts")
    (root / "mlflow.db").touch()
    assert Project.find(root).model_store() == (f"sqlite:///{root}/mlflow.db", root / "mlruns")
    (root / ".seatrial").mkdir()
    (root / ".seatrial" / "mlflow.db").touch()
    assert Project.find(root).model_store()[0] == f"sqlite:///{root}/.seatrial/mlflow.db"
    for uri, found in {
        "sqlite:///mlflow.db": (f"sqlite:///{root}/mlflow.db", root / "mlruns"),
        "sqlite:////var/mlflow.db": ("sqlite:////var/mlflow.db", Path("/var/mlruns")),
        "mlruns": (f"{root}/mlruns", None),
        "http://mlflow:5000": ("http://mlflow:5000", None),
        "databricks": ("databricks", None),
        "arn:aws:sagemaker:eu-west-1:1:mlflow-tracking-server/a": (
            "arn:aws:sagemaker:eu-west-1:1:mlflow-tracking-server/a",
            None,
        ),
    }.items():
        assert replace(Project.find(root), tracking_uri=uri).model_store() == found


def test_a_project_needs_no_expectations(root):
    """The default folder may be missing: the policy is that of no files. Git is told to leave the state alone."""
    (root / "expectations").rmdir()
    project = Project.find(root)
    assert project.policy(project.pipeline()).stages == {}
    with pytest.MonkeyPatch.context() as inner:
        inner.setattr(os, "environ", {**os.environ})
        project.activate()
    assert (root / ".seatrial" / ".gitignore").read_text() == "*\n"


def test_what_a_models_process_sees_and_takes_is_set(root):
    """Names and limits are read; our own secrets are never named, and a misspelt limit is told with the nearest."""
    before = 'pipeline = "code/path.py:pipeline"\n'
    settings(root, f'{before}environment = ["SHOP_URL"]\n[tool.seatrial.limits]\nmemory_mb = 512')
    project = Project.find(root)
    assert (project.environment, project.limits.memory_mb, project.limits.processes) == (("SHOP_URL",), 512, 128)
    for text, message in (
        ('environment = ["SEATRIAL_SIGNING_KEY"]', "SEATRIAL_SIGNING_KEY, which is seatrial's own"),
        ('environment = "SHOP_URL"', 'must be a list of names of environment variables; found "SHOP_URL"'),
        ("[tool.seatrial.limits]\nmemory = 512", "setting 'memory' is not known.*Did you mean 'memory_mb'"),
    ):
        settings(root, before + text)
        with pytest.raises(ProjectError, match=message):
            Project.find(root)
