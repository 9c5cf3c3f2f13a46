"""A Prefect worker of the project's work pool."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

from seatrial.errors import ProjectError
from seatrial.orchestration import prefect_api
from seatrial.orchestration.deployments import names, output, pools
from seatrial.project import Project

RUNS = 2  # flow runs at once


def worker_name() -> str:
    """Return the worker's name: the machine's, and the id of the process that starts or watches it."""
    return f"{socket.gethostname()}-{os.getpid()}"


def worker_command(project: Project, runs: int = RUNS, *, healthcheck: bool = False, pool: str = "") -> list[str]:
    """Return the command that starts a worker.

    Args:
        project: whose work pool it is of.
        runs: flow runs at once.
        healthcheck: answer at ``/health`` on the port that Prefect's settings name.
        pool: name of another process pool than the project's own.
    """
    return [
        sys.executable, "-m", output.__name__, "--no-prompt", "worker", "start", "--pool", pool or names.pool(project),
        "--type", "process", "--name", worker_name(), "--limit", str(runs), "--install-policy", "never",
        *(["--with-healthcheck"] if healthcheck else []),
    ]  # fmt: skip


def work(directory: Path, runs: int = RUNS, *, healthcheck: bool = False, pool: str = "") -> NoReturn:
    """Become a worker of the project's work pool, or of another process pool.

    Raises:
        ProjectError: no Prefect server is named, or the pool does not exist or is of another type.
        TargetError: Prefect does not answer.
    """
    project = Project.find(directory)
    prefect_api.api_url()
    project.activate()
    if pool and not (found := pools.find(pool)).lasting:
        raise ProjectError(
            f"'seatrial worker' runs process pools, and {pool} is the {found}. Where its platform is: pip install "
            f"'prefect[{found.type}]', then prefect worker start --pool {pool}"
        )
    os.environ[prefect_api.PROJECT] = str(project.root)
    command = worker_command(project, runs, healthcheck=healthcheck, pool=pool)
    os.execv(command[0], command)  # noqa: S606  our own command
