"""Without the packages of its extras seatrial starts, and each platform says in one sentence what to install."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping

import pytest

from tests.support.paths import ROOT, SUPPORT

EXTRAS: Mapping[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
PLATFORMS = ("azureml", "clearml", "kfp", "kubeflow", "sagemaker", "wandb")
OWN = {  # trackers and registries of this package whose packages are an extra, by its folder; others need none
    f"{kind} {point.name}": extra
    for kind in ("trackers", "registries")
    for point in importlib.metadata.entry_points(group=f"seatrial.{kind}")
    if point.dist is not None and point.dist.name == "seatrial"
    for extra in EXTRAS
    if f".{extra}" in point.module
}
SETTINGS = {"MODEL_REGISTRY_BASE_URL": "http://127.0.0.1:1"}  # what a platform asks for before its package
ADDRESSES = {"address arn": "sagemaker", "address azureml": "azureml"}


def modules() -> list[str]:
    """Return the top-level modules of the platforms' packages."""
    named = {_normal(r) for extra in PLATFORMS for r in EXTRAS[extra]} | {"azureml-core"}
    found = importlib.metadata.packages_distributions()
    return sorted(module for module, brought in found.items() if {_normal(each) for each in brought} & named)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a process without these packages says."""
    state = tmp_path_factory.mktemp("state")
    quiet = {
        name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "WANDB_", "CLEARML_"))
    }
    store = SETTINGS | {"MLFLOW_TRACKING_URI": f"sqlite:///{state / 'mlflow.db'}"}
    command = [sys.executable, SUPPORT / "without_extras.py", state, *modules()]
    done = subprocess.run(command, env=quiet | store, cwd=state, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_what_is_blocked_is_installed() -> None:
    """A misspelt module would block nothing, and all below would pass where it is missing for another reason."""
    assert {"wandb", "clearml", "model_registry", "sagemaker_mlflow"} <= set(modules())  # azureml is not in the lock


def test_seatrial_starts_without_them(found: dict[str, str]) -> None:
    """It is imported, and shows its help."""
    assert found["import"]
    assert "validate" in found["help"]


@pytest.mark.parametrize("used", [*OWN, *ADDRESSES])
def test_a_platform_says_what_to_install(used: str, found: dict[str, str]) -> None:
    """One sentence with the command, and no other error."""
    extra = {**OWN, **ADDRESSES}[used]
    assert f"pip install 'seatrial[{extra}]'" in found[used], found[used]
    assert len(found[used].splitlines()) == 1
    assert not re.match(r"\w+Error: ", found[used]), found[used]


def test_the_core_needs_none_of_them(found: dict[str, str]) -> None:
    """MLflow's own registry and tracker are as ever: a model that is not there is not there."""
    assert "There is no registered model 'payments'" in found["registries models"]


def _normal(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", match[0] if match else "").lower()
