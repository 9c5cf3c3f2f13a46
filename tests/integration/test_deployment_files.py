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
GITHUB = ["--builtin-schema", "vendor.github-workflows"]
PIPELINES = {  # by what checks them
    HERE / "ci" / "github.yml": GITHUB,
    HERE / "ci" / "versions.yml": GITHUB,
    HERE / "ci" / "gitlab-ci.yml": ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
}
RULES = """
extends: default
rules:
  line-length: {max: 125}
  document-start: disable
  comments: {min-spaces-from-content: 1}
"""


def test_yaml_is_neat() -> None:
    """No warning of yamllint in any file."""
    files = [*sorted(HERE.glob("*.yaml")), *sorted(HERE.rglob("*.yml"))]
    lint = [sys.executable, "-m", "yamllint", "--strict", "-d", RULES, *files]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_a_pipeline_keeps_the_schema_of_its_system(path: Path, tmp_path: Path) -> None:
    """And one with a misspelt key does not."""
    wrong = tmp_path / path.name
    wrong.write_text(
        path.read_text(encoding="utf-8").replace("timeout", "timeuot").replace("    script:", "    scirpt:")
    )
    for file, code in ((path, 0), (wrong, 1)):
        check = [Path(sysconfig.get_path("scripts")) / "check-jsonschema", *PIPELINES[path], file]
        done = subprocess.run(check, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout


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
