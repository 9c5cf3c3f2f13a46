"""The files under ``deployments/``: what their own linters say, and what must hold of them besides."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.paths import ROOT

HERE = ROOT / "deployments"
RULES = """
extends: default
rules:
  line-length: {max: 125}
  document-start: disable
  comments: {min-spaces-from-content: 1}
"""


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


def test_the_image_builds(tmp_path: Path) -> None:
    """Built where an engine is there; the command answers, and not as root."""
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        pytest.skip("no container engine answers here")
    build = [docker, "build", "-q", "-f", HERE / "Dockerfile", "--build-arg", "SEATRIAL=.[demo,postgres]", HERE.parent]
    image = subprocess.run(build, capture_output=True, text=True, check=True).stdout.strip()
    run = [docker, "run", "--rm", image, "sh", "-c", "seatrial --version && id -u"]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    assert said[-1] == "10001"
