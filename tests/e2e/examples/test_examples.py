"""The examples: each passes at the first validation, and its planted bug is one finding, where it was planted.

All that are asked for are played in one process with one store and one Prefect server. ``SEATRIAL_SNAPSHOTS=renew``
writes what is said of the bugs into their READMEs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FOREIGN

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
BUGS = {  # where the bug of each example originates: check, stage, column, cause
    "churn": ("expectations", "features", "usage_gb", "default-fill"),
    "text": ("golden", "service", "queue", "renamed-column"),
    "ranking": ("golden", "service", None, "no-answer"),
    "regression": ("golden", "service", "heating_kwh_m2", "rounding"),
    "image": ("expectations", "response", "digit", "relabelling"),
}
pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each example that a test asks for, by its name."""
    items = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    names = [name for name in BUGS if any(item.callspec.params.get("name") == name for item in items)]
    folder, made = tmp_path_factory.mktemp("examples"), {}
    env = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    if "image" in names:
        try:
            env["IMAGE_ENVIRONMENT"] = str(_with_torch(folder, request.getfixturevalue("shapes_python")))
        except pytest.skip.Exception as reason:
            names.remove("image")
            made["image"] = str(reason)
    command = [sys.executable, str(Path(__file__).with_name("played.py")), str(folder), *names]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4_000:]
    return made | {name: json.loads((folder / f"{name}.json").read_text()) for name in names}


def _with_torch(folder: Path, python: Path) -> Path:
    """Make an environment that has torch, and whatever else the example installs from here."""
    to = folder / "environment"
    subprocess.run([python, "-m", "venv", "--without-pip", to], check=True)
    release = f"python{sys.version_info.major}.{sys.version_info.minor}"
    theirs = python.parents[1] / "lib" / release / "site-packages"
    paths = [theirs, sysconfig.get_paths()["purelib"], ROOT / "src"]
    (to / "lib" / release / "site-packages" / "theirs.pth").write_text("".join(f"{path}\n" for path in paths))
    return to


def _of(played: dict[str, Any], name: str) -> dict[str, Any]:
    found = played[name]
    if isinstance(found, str):
        pytest.skip(found)
    assert "broke" not in found, found["broke"]
    return found


@pytest.mark.parametrize("name", BUGS)
def test_an_example_passes_at_the_first_validation(played: dict[str, Any], name: str) -> None:
    """Every check that applies has run, those of the live service too."""
    verdict = _of(played, name)["clean"]
    assert verdict["outcome"] == "pass", verdict["summary"]
    assert {"expectations", "golden", "invariants", "contract", "environment"} <= {
        e["check"] for e in verdict["evaluated"]
    }


@pytest.mark.parametrize("name", BUGS)
def test_its_bug_is_one_finding_where_it_was_planted(played: dict[str, Any], name: str) -> None:
    """In its stage and column, with its cause; whatever else differs is downstream of it."""
    verdict = _of(played, name)["broken"]
    errors = [finding for finding in verdict["findings"] if finding["severity"] == "error"]
    origins = [(f["check"], f["stage"], f["column"], f["cause"]) for f in errors if not f["downstream"]]
    assert (verdict["outcome"], origins) == ("fail", [BUGS[name]])
    assert not verdict["not_evaluated"]


@pytest.mark.parametrize("name", BUGS)
def test_the_readme_shows_what_is_said_of_the_bug(played: dict[str, Any], name: str) -> None:
    """Word by word; the port of a service is another each time."""
    said, readme = _of(played, name)["broken"]["summary"], EXAMPLES / name / "README.md"
    text = readme.read_text(encoding="utf-8")
    [shown] = re.findall(r"^```text\n(.*?)\n```$", text, re.DOTALL | re.MULTILINE)
    if os.environ.get("SEATRIAL_SNAPSHOTS") == "renew":
        readme.write_text(text.replace(shown, said), encoding="utf-8")
        return
    port = re.compile(r"127\.0\.0\.1:\d+")
    assert port.sub("", shown) == port.sub("", said)
