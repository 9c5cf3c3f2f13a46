"""A Prefect worker of the project's work pool."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

from seatrial.orchestration import prefect_api
from seatrial.orchestration.deployments import names
from seatrial.project import Project

RUNS = 2  # flow runs at once


def worker_name() -> str:
    """Return the worker's name: the machine's, and the id of the process that starts or watches it."""
    return f"{socket.gethostname()}-{os.getpid()}"


def worker_command(project: Project, runs: int = RUNS, *, healthcheck: bool = False) -> list[str]:
    """Return the command that starts a worker.

    Args:
        project: whose work pool it is of.
        runs: flow runs at once.
        healthcheck: answer at ``/health`` on the port that Prefect's settings name.
    """
    return [
        sys.executable, "-m", "prefect", "--no-prompt", "worker", "start", "--pool", names.pool(project),
        "--type", "process", "--name", worker_name(), "--limit", str(runs), "--install-policy", "never",
        *(["--with-healthcheck"] if healthcheck else []),
    ]  # fmt: skip


def work(directory: Path, runs: int = RUNS, *, healthcheck: bool = False) -> NoReturn:
    """Become a worker of the project's work pool.

    Raises:
        ProjectError: ``PREFECT_API_URL`` is not set.
    """
    project = Project.find(directory)
    prefect_api.api_url()
    project.activate()
    os.environ[prefect_api.PROJECT] = str(project.root)
    command = worker_command(project, runs, healthcheck=healthcheck)
    os.execv(command[0], command)  # noqa: S606  Prefect's own command, which gets the signals itself
