"""Environments that uv really builds, from what real versions carry."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import psutil
import pytest

from seatrial.errors import EnvironmentUnavailable
from seatrial.isolation.environments import uv
from seatrial.isolation.environments.build import RECORD, ModelEnvironment, model_environment
from tests.support.waiting import until

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHERS = ("3.12", "3.13", "3.10")  # releases of Python that this machine may have
NOWHERE = "http://ann:secret@127.0.0.1:9/simple"  # the discard port: nothing listens
ASKS = """
import json, sys
from importlib.metadata import distributions
print(json.dumps([sys.version_info[:2], {d.name.lower(): d.version for d in distributions()}]))
"""
BUILDS = """
import sys
from pathlib import Path
from seatrial.isolation.environments import build
build.WORKER_NEEDS = ("six",)
build.model_environment(Path(sys.argv[1]), cache=Path(sys.argv[2]))
"""
RELATED = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_CONFIG_FILE")


def version(folder: Path, requirements: str, python: str = HERE) -> Path:
    """Return the directory of a version as MLflow lays it out, with these requirements."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "requirements.txt").write_text(requirements)
    (folder / "python_env.yaml").write_text(f"python: {python}.1\ndependencies:\n- -r requirements.txt\n")
    return folder


def inside(environment: ModelEnvironment) -> tuple[str, dict[str, str]]:
    """Return the release of Python and the packages that a process in the environment sees."""
    output = subprocess.check_output([environment.python, "-I", "-c", ASKS], text=True)
    release, packages = json.loads(output)
    return ".".join(map(str, release)), packages


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("environments")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Skip where the index does not respond: what is tested then is the message alone, below."""
    environ = uv.environment(os.environ)
    folder = tmp_path_factory.mktemp("index")
    try:
        uv.call(["venv", "-q", "probe"], folder=folder, environ=environ, until=time.monotonic() + 300)
        install = ["pip", "install", "--dry-run", "--no-cache", "--python", "probe", "six"]
        uv.call(install, folder=folder, environ=environ, until=time.monotonic() + 300)
    except EnvironmentUnavailable as error:
        pytest.skip(f"no package index: {error}")


@pytest.fixture
def unreachable(monkeypatch, tmp_path):
    """An index out of reach, and nothing in uv's cache."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", NOWHERE)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))


@pytest.fixture
def small(monkeypatch):
    """Builds that take a second, for what does not depend on the packages."""
    monkeypatch.setattr("seatrial.isolation.environments.build.WORKER_NEEDS", ("six",))


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A model of scikit-learn, logged by MLflow with older packages than ours and with seatrial among them."""
    import mlflow
    from sklearn.linear_model import LogisticRegression

    path = tmp_path_factory.mktemp("mlflow") / "model"
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    requirements = ["scikit-learn==1.7.2", "pandas==2.2.3", "skops==0.13.0", "mlflow-skinny==2.16.2", "seatrial==0.1.0"]
    mlflow.sklearn.save_model(model, path, serialization_format="skops", pip_requirements=requirements)
    return path


@pytest.mark.usefixtures("network")
def test_a_logged_models_own_requirements(logged, cache, monkeypatch):
    """What it pins is there, what the worker needs is added, seatrial is not; the second time needs no installer."""
    said: list[str] = []
    built = model_environment(logged, cache=cache, report=said.append)
    assert (built.source, len(said)) == ("requirements.txt", 1)
    assert f"requirements.txt, with Python {HERE}" in said[0]
    subprocess.run([built.python, "-I", "-c", "import pandas, pyarrow, sklearn, numpy"], check=True)
    release, packages = inside(built)
    assert release == HERE
    assert (packages["scikit-learn"], packages["pandas"], packages["mlflow-skinny"]) == ("1.7.2", "2.2.3", "2.16.2")
    assert int(packages["pyarrow"].split(".")[0]) >= 12
    assert "seatrial" not in packages
    home = built.python.parent.parent
    assert f"pandas=={packages['pandas']}" in json.loads((home / RECORD).read_text())["packages"]
    assert left_in(cache) == [home.name]

    monkeypatch.setenv("UV_DEFAULT_INDEX", NOWHERE)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "uv", None)
    assert model_environment(logged, cache=cache, report=said.append) == built
    assert len(said) == 1


@pytest.mark.usefixtures("network")
def test_it_is_whole_where_it_was_moved_to(logged, cache):
    """Scripts run, modules are compiled for the place they are at, and no file is shared with uv's own cache."""
    home = model_environment(logged, cache=cache).python.parent.parent
    assert subprocess.check_output([home / "bin" / "f2py", "-v"], text=True).strip()
    site = next(home.glob("lib/python*/site-packages"))
    code = "import pandas; print(pandas.__cached__, pandas.DataFrame.__init__.__code__.co_filename)"
    cached, source = subprocess.check_output([home / "bin" / "python", "-I", "-c", code], text=True).split()
    assert Path(cached).is_file()
    assert source == str(site / "pandas" / "core" / "frame.py")
    assert (site / "pandas" / "core" / "frame.py").stat().st_nlink == 1


@pytest.mark.usefixtures("network", "small")
def test_a_project_of_uv_is_built_from_its_lock(tmp_path, cache, monkeypatch):
    """The lock's release is installed though a later one is allowed; so is what MLflow adds to the lock."""
    import mlflow

    class Passing(mlflow.pyfunc.PythonModel):
        def predict(self, model_input: list[str]) -> list[str]:
            return model_input

    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "shop"\nversion = "1"\nrequires-python = ">={HERE}"\n'
        'dependencies = ["six>=1.16"]\n'
        '[dependency-groups]\ndev = ["tomli-w"]\n'
    )
    environ = uv.environment(os.environ) | {"UV_CONSTRAINT": ""}
    uv.call(["lock", "--resolution", "lowest-direct"], folder=project, environ=environ, until=time.monotonic() + 300)
    monkeypatch.setenv("PATH", f"{Path(uv.executable()).parent}{os.pathsep}{os.environ['PATH']}")
    mlflow.pyfunc.save_model(
        tmp_path / "model", python_model=Passing(),
        pip_requirements=["mlflow-skinny==2.16.2", "six>=1.17"], uv_project_path=project,
    )  # fmt: skip
    assert (tmp_path / "model" / "uv.lock").is_file()
    built = model_environment(tmp_path / "model", cache=cache)
    packages = inside(built)[1]
    assert built.source == "uv.lock"
    assert (packages["six"], packages["mlflow-skinny"]) == ("1.16.0", "2.16.2")
    assert not {"shop", "tomli-w"} & set(packages)


@pytest.mark.usefixtures("network", "small")
def test_another_release_of_python(tmp_path, cache, monkeypatch):
    """The version's own release decides, not ours."""
    installed = Path(sys.base_prefix).parent.glob("3.*/bin")
    monkeypatch.setenv("PATH", os.pathsep.join([*map(str, installed), os.environ["PATH"]]))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    find = [uv.executable(), "python", "find", "--no-project"]
    there = [
        r for r in OTHERS if r != HERE and not subprocess.run([*find, r], capture_output=True, check=False).returncode
    ]
    if not there:
        pytest.skip(f"none of Python {', '.join(OTHERS)} is installed")
    built = model_environment(version(tmp_path, "six\n", there[0]), cache=cache)
    assert inside(built)[0] == there[0]
    assert (built.folders[1] / "bin").is_dir()
    assert str(there[0]) in str(built.python.resolve())
    assert list((built.folders[0] / "lib").glob("python*/site-packages/__pycache__/six.*.pyc"))


# --- what is not run -------------------------------------------------------------------------------------


def wheel(folder: Path, marker: Path, script: str = "sly") -> Path:
    """Return a wheel that writes a file when an interpreter starts in an environment with it, or its script runs."""
    path = folder / "wheels" / "sly-1.0-py3-none-any.whl"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("sly.pth", f"import pathlib; pathlib.Path({str(marker)!r}).write_text('run')\n")
        archive.writestr(f"sly-1.0.data/scripts/{script}", f"#!/bin/sh\necho run > {marker}\n")
        archive.writestr("sly-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: sly\nVersion: 1.0\n")
        archive.writestr("sly-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("sly-1.0.dist-info/RECORD", "sly.pth,,\nsly-1.0.dist-info/METADATA,,\n")
    return path


@pytest.mark.usefixtures("network", "small")
def test_a_killed_build_is_not_taken_for_whole_and_two_at_once_both_succeed(tmp_path, monkeypatch):
    """What is under way is elsewhere until it is complete; the code of what is installed does not run meanwhile."""
    cache, marker = tmp_path / "cache", tmp_path / "marker"
    model = tmp_path / "model"
    wheel(model, marker)
    version(model, "wheels/sly-1.0-py3-none-any.whl\n")
    (model / "uv.toml").write_text(f'cache-dir = "{tmp_path / "elsewhere"}"\n')
    with subprocess.Popen([sys.executable, "-c", BUILDS, str(model), str(cache)]) as building:
        until(lambda: list(cache.glob("unfinished-*/work")), every=0.001)
        for process in (psutil.Process(building.pid), *psutil.Process(building.pid).children(recursive=True)):
            process.kill()
    assert building.returncode == -signal.SIGKILL
    (unfinished,) = left_in(cache)

    found: list[ModelEnvironment] = []
    builds = [threading.Thread(target=lambda: found.append(model_environment(model, cache=cache))) for _ in range(2)]
    for build in builds:
        build.start()
    for build in builds:
        build.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert left_in(cache) == sorted([unfinished, found[0].folders[0].name])
    assert not marker.exists()
    assert not (tmp_path / "elsewhere").exists()
    assert inside(found[0])[1]["sly"] == "1.0"
    assert marker.exists()  # as it does when an interpreter of the environment starts
    os.utime(cache / unfinished, (0, 0))
    found[0].python.unlink()
    rebuilt = model_environment(model, cache=cache)
    assert rebuilt == found[0]
    assert left_in(cache) == [rebuilt.folders[0].name]


@pytest.mark.usefixtures("network", "small")
def test_a_package_that_brings_its_own_interpreter_does_not_run_it_here(tmp_path):
    """Whoever starts it later does so where the isolation holds it."""
    marker = tmp_path / "marker"
    wheel(tmp_path / "model", marker, script="python")
    with contextlib.suppress(EnvironmentUnavailable):  # it is uv's to refuse
        model_environment(version(tmp_path / "model", "wheels/sly-1.0-py3-none-any.whl\n"), cache=tmp_path / "cache")
    assert not marker.exists()


def test_a_source_distribution_is_not_built(tmp_path):
    """To build it would run its code where no isolation holds it."""
    marker = tmp_path / "marker"
    source = tmp_path / "model" / "sly-1.0"
    source.mkdir(parents=True)
    (source / "setup.py").write_text(
        f"import pathlib; pathlib.Path({str(marker)!r}).write_text('run')\n"
        "from setuptools import setup; setup(name='sly', version='1.0')\n"
    )
    shutil.make_archive(str(source), "gztar", source.parent, source.name)
    model = version(tmp_path / "model", "sly @ ./sly-1.0.tar.gz\n")
    with pytest.raises(EnvironmentUnavailable, match="Building it from source would run its code outside") as error:
        model_environment(model, cache=tmp_path / "cache")
    assert "python = PATH" in str(error.value)
    assert not marker.exists()


# --- what cannot be built --------------------------------------------------------------------------------


@pytest.mark.usefixtures("unreachable")
def test_an_index_out_of_reach_is_said_and_says_nothing_of_the_version(tmp_path):
    """Without the credentials of its address; nothing is left, so the next run tries again."""
    with pytest.raises(EnvironmentUnavailable, match="The package index cannot be reached") as error:
        model_environment(version(tmp_path / "model", "six\n"), cache=tmp_path / "cache")
    assert "127.0.0.1:9" in str(error.value)
    assert "secret" not in str(error.value)
    assert left_in(tmp_path / "cache") == []


@pytest.mark.usefixtures("unreachable")
def test_pips_configuration_holds_where_uv_has_none(tmp_path, monkeypatch):
    """Who installs from a mirror has told pip, and need not say it twice."""
    for name in RELATED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/by-pip/simple")
    with pytest.raises(EnvironmentUnavailable, match=r"127\.0\.0\.1:9/by-pip/simple"):
        model_environment(version(tmp_path / "model", "six\n"), cache=tmp_path / "cache")


@pytest.mark.usefixtures("network")
def test_requirements_that_cannot_be_met_together(tmp_path):
    """The reader sees which two, and that one of them is the worker's."""
    with pytest.raises(
        EnvironmentUnavailable, match=r"(?s)cannot be met together.*pandas==1\.5\.3.*pandas>=2\.0"
    ) as error:
        model_environment(version(tmp_path / "model", "pandas==1.5.3\n"), cache=tmp_path / "cache")
    assert str(error.value).startswith(
        f"The version's environment (Python {HERE}) cannot be built from its requirements"
    )


def test_a_release_of_python_that_is_not_there(tmp_path, monkeypatch):
    """Too old for the worker, or not to be had."""
    with pytest.raises(EnvironmentUnavailable, match=r"made with Python 3\.8; its stages .* Python 3\.10 or later"):
        model_environment(version(tmp_path / "old", "six\n", "3.8"), cache=tmp_path / "cache")
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    with pytest.raises(EnvironmentUnavailable, match="That release of Python is not on this machine"):
        model_environment(version(tmp_path / "new", "six\n", "3.99"), cache=tmp_path / "cache")


def test_a_build_is_given_up_in_time(tmp_path):
    """The installer is ended, and nothing of the build is left."""
    with pytest.raises(EnvironmentUnavailable, match="not done within the time allowed"):
        model_environment(version(tmp_path / "model", "six\n"), cache=tmp_path / "cache", seconds=0)
    assert left_in(tmp_path / "cache") == []


def test_a_cache_that_cannot_be_written(tmp_path):
    """A sentence, and no traceback."""
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(EnvironmentUnavailable, match="cannot be built in"):
        model_environment(version(tmp_path / "model", "six\n"), cache=tmp_path / "cache")
