"""The examples are short, whole, and part of the wheel."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("churn", "text", "ranking", "regression", "image")


def files(name: str) -> list[Path]:
    """Return the files of an example that a reader opens, without the one that explains them."""
    left_out = {"__pycache__", ".seatrial", ".venv", "mlruns"}
    found = [path for path in (ROOT / "examples" / name).rglob("*") if path.is_file() and not left_out & {*path.parts}]
    return [path for path in found if path.name != "README.md" and path.suffix != ".db"]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_read_at_one_sitting(name: str) -> None:
    """Under 150 lines in all, with a README of about twenty."""
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in files(name)}
    assert {"pipeline.py", "train.py", "service.py", "pyproject.toml", "bug.patch"} <= set(lines)
    assert sum(lines.values()) < 150
    assert len((ROOT / "examples" / name / "README.md").read_text(encoding="utf-8").splitlines()) <= 30


@pytest.mark.parametrize("name", NAMES)
def test_a_patch_fits_its_file(name: str) -> None:
    """What it takes away, and what stands around it, is in the file it names, in that order."""
    patch = (ROOT / "examples" / name / "bug.patch").read_text(encoding="utf-8")
    head, *hunks = patch.split("\n@@ ")
    file = ROOT / "examples" / name / head.splitlines()[1].removeprefix("+++ b/")
    assert "diff --git" not in patch, "git apply would look for the file below the root of the repository"
    for hunk in hunks:
        lines = hunk.splitlines()[1:]
        assert "\n".join(line[1:] for line in lines if not line.startswith("+")) in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_in_the_wheel_and_is_a_project_of_its_own(name: str) -> None:
    """``seatrial init --example`` copies its folder."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included[f"examples/{name}"] == f"seatrial/_project/examples/{name}"
    own = tomllib.loads((ROOT / "examples" / name / "pyproject.toml").read_text(encoding="utf-8"))
    assert own["tool"]["seatrial"]["models"] == [name]
