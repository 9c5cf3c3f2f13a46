"""The clients of real engines, as far as they go without images: what they write is understood."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from seatrial.errors import AnswerError, TargetError
from seatrial.pipeline import Service
from seatrial.targets.launch import start


def failed(service: Service) -> str:
    with pytest.raises(TargetError) as told, start(service):
        pass
    assert not isinstance(told.value, AnswerError), told.value
    return str(told.value)


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed")
def test_docker_without_its_daemon(tmp_path: Path) -> None:
    """Inconclusive, with the variable of the daemon's address."""
    run = ["docker", "run", "--rm", "--name", "{name}", "-p", "127.0.0.1:{port}:8080", "shop:1"]
    here = {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}
    said = failed(Service(run, stop=["docker", "rm", "-f", "{name}"], env=here))
    assert "Start the engine's daemon, or name another one in DOCKER_HOST." in said


@pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")
def test_podman_without_the_image() -> None:
    """Inconclusive, with what to do first."""
    with tempfile.TemporaryDirectory() as store:  # podman takes no long path
        podman = ["podman", "--root", f"{store}/root", "--runroot", f"{store}/run", "--storage-driver", "vfs"]
        named = ["--pull=never", "--name", "{name}", "--network=host", "-e", "PORT={port}", "shop:1"]
        said = failed(Service([*podman, "run", "--rm", *named], stop=[*podman, "rm", "-f", "{name}"]))
    assert "Build or pull the image first" in said
