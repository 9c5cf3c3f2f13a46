"""The files under ``deployments/``: what their own linters say, and what must hold of them besides."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parents[2] / "deployments"
RULES = """
extends: default
rules:
  line-length: {max: 125}
  document-start: disable
  comments: {min-spaces-from-content: 1}
"""
COMPOSE: dict[str, Any] = yaml.safe_load((HERE / "compose.yaml").read_text(encoding="utf-8"))


def test_yaml_is_neat() -> None:
    """No warning of yamllint in any file."""
    lint = [sys.executable, "-m", "yamllint", "--strict", "-d", RULES, *sorted(HERE.glob("*.yaml"))]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_is_clean() -> None:
    """No remark of hadolint."""
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run([hadolint, HERE / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_compose_keeps_to_its_specification() -> None:
    """Every key is one of the specification's, with variables filled; a misspelt one would be refused."""
    from compose_spec import PyCompose

    plain = {key: value for key, value in COMPOSE.items() if not key.startswith("x-")}
    filled = json.loads(re.sub(r"\$\{[A-Z_]+:?[-?][^}]*\}", "filled", json.dumps(plain)))
    names = PyCompose.from_json(json.dumps(filled)).service_names()
    assert set(names) == {"postgres", "mlflow", "prefect", "deploy", "receiver", "worker"}
    filled["services"]["worker"]["imagge"] = "x"
    with pytest.raises(ValueError, match="imagge"):
        PyCompose.from_json(json.dumps(filled))


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_is_watched_pinned_and_kept_small(name: str) -> None:
    """A health check, a pinned image, named volumes that exist, and pages on this machine alone."""
    service = COMPOSE["services"][name]
    assert "healthcheck" in service
    assert service["image"] == "seatrial" or re.fullmatch(r"[a-z]+:\d+[\w.-]*", service["image"])
    assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(COMPOSE["volumes"])
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    if service["image"] == "seatrial":
        assert service["cap_drop"] == ["ALL"]


def test_no_secret_is_in_any_file() -> None:
    """Whatever is a password or a key is taken from the environment, and its absence is an error."""
    for service in COMPOSE["services"].values():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEY|_URL|_URI", variable) and ("@" in value or "SECRET" in variable):
                assert ":?" in value, variable
    dockerfile = (HERE / "Dockerfile").read_text(encoding="utf-8")
    assert not re.search(r"(PASSWORD|SECRET|TOKEN|_KEY)", dockerfile)
    assert re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE) == ["10001"]
    assert "-c deployments/constraints.txt" in dockerfile
    ignored = (HERE / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {".seatrial", "**/.env", "*.key", ".git"} <= set(ignored)


def test_the_image_builds(tmp_path: Path) -> None:
    """Built where an engine is there; the command answers, and not as root."""
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        pytest.skip("no container engine answers here")
    build = [docker, "build", "-q", "-f", HERE / "Dockerfile", "--build-arg", "SEATRIAL=.[postgres]", HERE.parent]
    image = subprocess.run(build, capture_output=True, text=True, check=True).stdout.strip()
    run = [docker, "run", "--rm", image, "sh", "-c", "seatrial --version && id -u"]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    assert said[-1] == "10001"
