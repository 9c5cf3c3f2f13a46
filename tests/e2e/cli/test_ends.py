"""How a command ends when it is stopped from outside: nothing left running, no verdict that was not earned."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import mlflow
import psutil
import pytest

from seatrial.project import Project
from seatrial.registry.mlflow.client import client
from tests.support.waiting import until

pytestmark = pytest.mark.server
SECONDS = 400


def environ(**more: str) -> dict[str, str]:
    own = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_", "_MLFLOW"))}
    return {**own, **more}


def copy_of(payments: Project, root: Path) -> Project:
    shutil.copytree(
        payments.root, root, ignore=shutil.ignore_patterns("__pycache__", "prefect*", "versions", "reports")
    )
    return Project.find(root)


def started(*words: object, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "seatrial", *map(str, words)], cwd=cwd, env=environ(**environment), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_ctrl_c_in_a_stage_ends_everything(payments: Project, tmp_path: Path) -> None:
    """Interrupted while a stage runs: exit code 2, one message, no server left, no tag on the version."""
    project = copy_of(payments, tmp_path / "p")
    code = project.pipeline_file.read_text()
    slow = '    import subprocess\n    subprocess.run(["sleep", "601"])\n    score = frame'
    assert "    score = frame" in code
    project.pipeline_file.write_text(code.replace("    score = frame", slow, 1))
    before = dict(client().get_model_version("payments", "1").tags)
    command = started(
        "validate", "models:/payments/1", "--only", "golden", cwd=project.root,
        MLFLOW_TRACKING_URI=os.environ["MLFLOW_TRACKING_URI"],
    )  # fmt: skip
    until(lambda: sleeps(command.pid) or command.poll() is not None, seconds=SECONDS)
    assert command.poll() is None, command.communicate()
    children = psutil.Process(command.pid).children(recursive=True)
    assert children, "the Prefect server of the project runs beside the command"
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=SECONDS)
    assert command.returncode == 2, err
    assert "Interrupted. No verdict was written." in err
    assert "Traceback" not in out + err
    assert not psutil.wait_procs(children, timeout=60)[1]
    assert dict(client().get_model_version("payments", "1").tags) == before


def sleeps(pid: int) -> bool:
    """Whether a process of its family is the one that the stage waits for."""
    with contextlib.suppress(psutil.Error):
        return any(p.cmdline() == ["sleep", "601"] for p in psutil.Process(pid).children(recursive=True))
    return False


def fill(disk: Path, *, leave: int) -> None:
    """Write a file until the disk is full, then give ``leave`` bytes back."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 65536)
    os.truncate(filler, max(0, filler.stat().st_size - leave))


def test_a_full_disk_writes_no_verdict(payments: Project, tmp_path: Path) -> None:
    """On a disk that fills up the command says so in one message, and the version gets no verdict."""
    disk = tmp_path / "disk"
    disk.mkdir()
    size = sum(f.stat().st_size for f in payments.root.rglob("*") if f.is_file()) // 1024 + 1500
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", disk], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a small tmpfs")
    verdict = dict(client().get_model_version("payments", "1").tags).get("seatrial.verdict")
    try:
        project = copy_of(payments, disk / "p")
        fill(disk, leave=200_000)
        command = started("validate", "models:/payments/1", "--only", "golden", cwd=project.root)
        out, err = command.communicate(timeout=SECONDS)
        registry = shutil.copyfile(project.state / "mlflow.db", tmp_path / "registry.db")
    finally:
        subprocess.run(["umount", disk], check=True)
    assert command.returncode == 2, out + err
    assert "Traceback" not in out + err
    assert len([line for line in err.splitlines() if line.startswith("seatrial: ")]) == 1, err
    there = mlflow.MlflowClient(f"sqlite:///{registry}").get_model_version("payments", "1")
    assert there.tags.get("seatrial.verdict") == verdict
