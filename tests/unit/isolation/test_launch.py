"""How a worker is started: with which interpreter, behind what, and what it does not see."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from seatrial.errors import IsolationError, UsageError
from seatrial.isolation import launch
from seatrial.isolation.environment import cleaned, hidden_variable, search_path
from seatrial.isolation.launch import Folders, launch_of
from seatrial.project import Project


def project(root: Path, **settings: Any) -> Project:
    """Return a project with these settings."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    (root / "pyproject.toml").write_text("\n".join(['[tool.seatrial]\npipeline = "a.py:b"', *lines]))
    return Project.find(root)


@pytest.fixture(params=["bubblewrap", "namespaces", "limits"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(launch, "strongest", lambda: request.param)
    return request.param


def test_by_default_it_is_our_interpreter_kept_apart_as_well_as_can_be(tmp_path: Path, kind: str) -> None:
    """With the limits of a project that states none."""
    found = launch_of(project(tmp_path))
    assert (found.python, found.command, found.isolation, found.own) == (sys.executable, (), kind, True)
    assert found.limits["memory_bytes"] == 8192 * 2**20
    assert found.stages_models == (kind == "bubblewrap")


def test_required_isolation_is_refused_without(tmp_path: Path, kind: str) -> None:
    """With what to install, or to set; a command of the project's own is isolation enough."""
    strict = project(tmp_path, isolation="required")
    if kind == "bubblewrap":
        assert launch_of(strict).isolation == "bubblewrap"
    else:
        with pytest.raises(IsolationError, match=r"requires isolation.*Install it.*set isolation to 'available'"):
            launch_of(strict)
    assert launch_of(project(tmp_path, isolation="required", command=["podman", "run", "x"])).isolation == "command"


def test_a_program_is_looked_for_beside_the_interpreter_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's ``uvicorn`` is that of the project's environment, whether or not that environment is active."""
    monkeypatch.setattr(launch, "strongest", lambda: "namespaces")
    for folder in ("elsewhere", ".venv/bin"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "uvicorn").write_text("#!/bin/sh\n")
        (tmp_path / folder / "uvicorn").chmod(0o755)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    found = launch_of(project(tmp_path, python=".venv/bin/python"))
    assert found.argv(["uvicorn", "a:b"], Folders(tmp_path), {}, "")[-2:] == [
        str(tmp_path / ".venv" / "bin" / "uvicorn"), "a:b",
    ]  # fmt: skip
    assert found.argv(["no-such"], Folders(tmp_path), {}, "")[-1] == "no-such"


def test_an_interpreter_of_the_project_is_found_below_its_root(tmp_path: Path, kind: str) -> None:
    """And one that is not there is refused, with the nearest that is."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    found = launch_of(project(tmp_path, python=".venv/bin/python"))
    assert (found.python, found.own) == (str(tmp_path / ".venv" / "bin" / "python"), False)
    with pytest.raises(UsageError, match=r"no such interpreter.*Did you mean '\.venv/bin/python'"):
        launch_of(project(tmp_path, python=".venv/bin/pyton"))


def test_a_command_gets_each_folder_once_and_the_variables(tmp_path: Path) -> None:
    """An engine refuses a folder that is named twice, and passes no variable on by itself."""
    run = launch_of(project(tmp_path, command=["podman", "run", "{volumes}", "image"], readable=[str(tmp_path)]))
    folders = Folders(tmp_path / "work")
    for folder in (folders.frames, folders.home, folders.models, folders.site, tmp_path / ".seatrial"):
        folder.mkdir(parents=True)
    (tmp_path / "mlflow.db").touch()
    words = run.argv([run.python, "-c", "pass"], folders, {"A": "b c"}, "/there")
    volumes = [word for before, word in pairwise(words) if before == "-v"]
    assert len(volumes) == len({v.split(":")[1] for v in volumes}) == 8
    assert {v.split(":")[0] for v in volumes if v.endswith(":rw")} == {str(folders.frames), str(folders.home)}
    assert f"{folders.empty}:{tmp_path / '.seatrial'}:ro" in volumes
    assert f"/dev/null:{tmp_path / 'mlflow.db'}:ro" in volumes
    assert words[:2] == ["podman", "run"]
    assert words[words.index("image") :] == [
        "image", "sh", "-c", launch.IN_CONTAINER, "/there", "A=b c", "python3", "-c", "pass",
    ]  # fmt: skip


def test_keys_ledger_and_stores_of_this_machine_are_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the environment says they are; a server is no file."""
    monkeypatch.setenv("SEATRIAL_SIGNING_KEY", "/keys/one")
    monkeypatch.setenv("SEATRIAL_LEDGER_URL", "sqlite:////ledgers/ledger.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "/stores/mlruns")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "postgresql://127.0.0.1/registry")
    monkeypatch.delenv("_MLFLOW_SERVER_ARTIFACT_ROOT", raising=False)
    hidden = set(map(str, launch.secrets(project(tmp_path))))
    assert {str(tmp_path / ".seatrial"), "/keys/one", "/ledgers/ledger.db", "/stores/mlruns"} <= hidden
    assert not [path for path in hidden if "postgresql" in path]


def test_the_environment_is_what_any_program_needs_and_what_is_named(tmp_path: Path) -> None:
    """No credential; a home of its own."""
    environ = {"PATH": "/bin", "LC_ALL": "C", "AWS_SECRET_ACCESS_KEY": "x", "SHOP_URL": "u", "OMP_NUM_THREADS": "2"}
    found = cleaned(environ, ["SHOP_URL"], home=tmp_path, mark="m")
    assert {"PATH", "LC_ALL", "SHOP_URL", "OMP_NUM_THREADS", "HOME"} <= set(found)
    assert "AWS_SECRET_ACCESS_KEY" not in found
    assert found["HOME"] == str(tmp_path)


def test_another_interpreter_gets_nothing_of_ours_but_seatrial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours gets all that this process imports from."""
    monkeypatch.setenv("PYTHONPATH", "/theirs")
    assert search_path(tmp_path, own=False) == f"{tmp_path}:/theirs"
    assert set(filter(None, sys.path)) < set(search_path(tmp_path, own=True).split(":"))


def test_a_variable_that_is_hidden_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is set here, and the pipeline needs it."""
    monkeypatch.setenv("SHOP_URL", "u")
    assert "name it in 'environment'" in hidden_variable("line 3: KeyError: 'SHOP_URL'.")
    assert hidden_variable("line 3: KeyError: 'OTHER_URL'.") == ""


def test_in_namespaces_a_program_is_looked_up_beside_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is started with "python" gets the one that the project names, not the first in our PATH."""
    monkeypatch.setattr(launch, "strongest", lambda: "namespaces")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    found = launch_of(project(tmp_path, python=".venv/bin/python"))
    words = found.argv(["python", "serve.py"], Folders(tmp_path), {}, str(tmp_path))
    assert words[-2:] == [str(tmp_path / ".venv" / "bin" / "python"), "serve.py"]
