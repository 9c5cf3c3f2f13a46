"""What a version says of its environment is read from its files, and from nowhere else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from seatrial.errors import EnvironmentUnavailable
from seatrial.isolation.environments.carried import beyond, carried

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHON_ENV = "python: 3.10.13\nbuild_dependencies:\n- pip==23.2.1\ndependencies:\n- -r requirements.txt\n"
CONDA = """
channels: [conda-forge]
dependencies:
- python=3.12.1
- pip<=23.2.1
- pip:
  - mlflow==2.16.2
  - scikit-learn==1.4.2
name: mlflow-env
"""
LOCK = """
version = 1
requires-python = ">=3.12.4"
[[package]]
name = "shop"
source = { virtual = "." }
[[package]]
name = "numpy"
version = "2.4.6"
source = { registry = "https://pypi.org/simple" }
[[package]]
name = "ours"
version = "1.0"
source = { registry = "https://packages.example/simple/" }
"""


def version(folder: Path, **files: str) -> Path:
    """Return a directory with these files; the names have a double underscore for the dot."""
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_requirements_and_the_release_of_python_of_a_logged_model(tmp_path):
    """MLflow writes one in requirements.txt and the other in python_env.yaml; conda.yaml repeats both."""
    model = version(tmp_path, requirements__txt="scikit-learn==1.4.2\n# a remark\n", python_env__yaml=PYTHON_ENV)
    found = carried(version(model, conda__yaml=CONDA))
    assert (found.source, found.python, found.locked) == ("requirements.txt", "3.10", False)
    assert found.requirements == ("scikit-learn==1.4.2", "# a remark")


def test_the_pip_part_of_conda_yaml_where_there_is_nothing_else(tmp_path):
    """Old releases of MLflow wrote conda.yaml alone."""
    found = carried(version(tmp_path, conda__yaml=CONDA))
    assert (found.source, found.python) == ("conda.yaml", "3.12")
    assert found.requirements == ("mlflow==2.16.2", "scikit-learn==1.4.2")


def test_packages_of_conda_are_not_left_out_in_silence(tmp_path):
    """An environment without them would fail the version for what it does declare."""
    model = version(tmp_path, conda__yaml=CONDA.replace("- pip<", "- conda-forge::lightgbm=4.3\n- pip<"))
    with pytest.raises(EnvironmentUnavailable, match="asks conda for lightgbm, which uv cannot install"):
        carried(model)


def test_a_lock_comes_before_requirements(tmp_path):
    """A lock needs its project file; indexes beside the public one are named."""
    model = version(tmp_path, requirements__txt="mlflow==3.17.2\n", uv__lock=LOCK)
    assert carried(model).source == "requirements.txt"
    found = carried(version(model, pyproject__toml="[project]\nname = 'shop'\nversion = '1'\n"))
    assert (found.source, found.locked, found.indexes) == ("uv.lock", True, ("https://packages.example/simple",))
    assert found.requirements == ("mlflow==3.17.2",)


def test_the_release_of_python_that_a_lock_leaves_open(tmp_path):
    """The present one where the lock allows it, else the first that it does; what is pinned is obeyed."""
    model = version(tmp_path, uv__lock=LOCK.replace(">=3.12.4", ">=3.99"), pyproject__toml="")
    assert carried(model).python == HERE  # no such release: uv says so
    assert carried(version(model, uv__lock=LOCK.replace(">=3.12.4", "==3.13.*"))).python == "3.13"
    assert carried(version(model, uv__lock=LOCK.replace(">=3.12.4", ">=3.8"))).python == HERE
    assert carried(version(model, **{"__python-version": "cpython-3.10.4\n"})).python == "3.10"


def test_what_the_lock_does_not_install_is_added():
    """Names are compared as installers do; options stay."""
    locked = ["scikit_learn==1.4.2 \\", "    --hash=sha256:00", "numpy==1.26.4 ; python_version < '3.12'"]
    asked = ["-c constraints.txt", "Scikit.Learn>=1", "numpy[x]>1", "mlflow==3.17.2", "# why"]
    assert beyond(asked, locked) == ["-c constraints.txt", "mlflow==3.17.2", "# why"]


def test_the_digest_is_of_every_file_that_is_installed_from(tmp_path):
    """Included files and carried wheels count; the model's own files do not."""
    lines = "-r more.txt\n-c bounds.txt  # MLflow writes it\nwheels/own-1-py3-none-any.whl\n"
    model = version(tmp_path, requirements__txt=lines, more__txt="six\n", bounds__txt="six<2\n", model__skops="a")
    wheel = model / "wheels" / "own-1-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"1")
    seen = {carried(model).digest}
    for file in ("requirements.txt", "more.txt", "bounds.txt", "wheels/own-1-py3-none-any.whl"):
        (model / file).write_text((model / file).read_text() + "\n")
        seen.add(carried(model).digest)
    assert len(seen) == 5
    (model / "model.skops").write_text("b")
    assert carried(model).digest in seen


@pytest.mark.parametrize("line", ["-r ../secret.txt", "--requirement=/etc/passwd", "-c link.txt"])
def test_files_of_the_host_are_not_read(tmp_path, line):
    """uv quotes lines it cannot read, and what it says is shown: a version may name its own files alone."""
    (tmp_path / "secret.txt").write_text("key")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(EnvironmentUnavailable, match="not a file of its own"):
        carried(version(folder, requirements__txt=line + "\n"))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, r"carries no uv.lock with its pyproject.toml, no requirements.txt .* \[tool.seatrial\] python = PATH"),
        ({"uv__lock": "a = "}, "carries no uv.lock with its pyproject.toml"),
        ({"uv__lock": "a = ", "pyproject__toml": ""}, "uv.lock cannot be read"),
        ({"conda__yaml": "a: [b"}, "conda.yaml cannot be read"),
        ({"conda__yaml": "- a"}, "carries no"),
        ({"requirements__txt": "-r gone.txt"}, "refer to gone.txt, which the version does not carry"),
        ({"requirements__txt": "-r https://packages.example/r.txt"}, "refer to https"),
        ({"uv__lock": "requires-python = 'x'", "pyproject__toml": ""}, "uv.lock cannot be read: Invalid specifier"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, files, why):
    """One error, in a sentence that names the file."""
    with pytest.raises(EnvironmentUnavailable, match=why):
        carried(version(tmp_path, **files))


def test_files_that_include_each_other_end(tmp_path):
    """A circle is uv's to judge."""
    model = version(tmp_path, requirements__txt="-r a.txt\n", a__txt="-r b.txt\n", b__txt="-r a.txt\nsix\n")
    assert carried(model).requirements == ("-r a.txt",)
