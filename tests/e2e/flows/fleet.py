"""A Prefect server and workers of a pool for a tiny project, whose versions are validated in flow runs of their own."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial.orchestration.deployments import names, on_prefect
from seatrial.orchestration.deployments.worker import worker_command
from seatrial.orchestration.prefect_api import PROJECT, client
from seatrial.orchestration.runner import SERVER
from seatrial.project import Project
from tests.e2e.trials import chaos
from tests.support.ports import free_port


def prefect_server(project: Project) -> tuple[str, Any]:
    """Return the API address of a Prefect server of the project's own, and the server, which is not started."""
    port = free_port()
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    environ = {
        **plain, "PREFECT_HOME": str(project.state / "prefect"), "DO_NOT_TRACK": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_SERVER_UI_ENABLED": "false",
    }  # fmt: skip
    url = f"http://127.0.0.1:{port}/api"
    return url, chaos.Server([*SERVER, str(port)], environ, project.state / "prefect.log", f"{url}/health")


@contextlib.contextmanager
def api(url: str) -> Iterator[None]:
    """Speak to that server in this process, which may have imported Prefect before."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    before = os.environ.get("PREFECT_API_URL")
    os.environ["PREFECT_API_URL"] = url
    try:
        with temporary_settings({PREFECT_API_URL: url}):
            yield
    finally:
        os.environ.pop("PREFECT_API_URL")
        if before is not None:
            os.environ["PREFECT_API_URL"] = before


def deployed(project: Project, queue: str = "validations") -> None:
    """Create the pool and the deployment of which each job gets a run, as 'seatrial deploy' does."""
    on_prefect.create_pool(names.pool(project))
    step = {"prefect.deployments.steps.set_working_directory": {"directory": str(project.root)}}
    with client("deploy") as prefect:
        flow = prefect.create_flow_from_name("due")
        prefect.create_deployment(
            flow, names.deployment(project, names.WHEN_DUE), entrypoint="seatrial.orchestration.entrypoints.due",
            work_pool_name=names.pool(project), work_queue_name=queue, tags=[names.tag(project)], pull_steps=[step],
            enforce_parameter_schema=False,
        )  # fmt: skip


def worker(project: Project, url: str, runs: int, number: int = 0) -> Any:
    """Return a worker that takes that many runs at once, which is not started."""
    environ = {
        **os.environ, "PREFECT_API_URL": url, "PREFECT_HOME": str(project.state / f"worker-{number}"),
        "PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_WORKER_PREFETCH_SECONDS": "1",
        "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1", "PYTHONPATH": str(chaos.ROOT), PROJECT: str(project.root),
    }  # fmt: skip
    command = [*worker_command(project, runs)]
    command[command.index("--name") + 1] += f"-{number}"
    assert command[0] == sys.executable
    return chaos.Server(command, environ, project.state / f"worker-{number}.log", "")


def runs(project: Project) -> list[Any]:
    """Return the flow runs of jobs, in the order of their start."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName

    mine = DeploymentFilter(name=DeploymentFilterName(any_=[names.deployment(project, names.WHEN_DUE)]))
    with client("list the runs") as prefect:
        found = prefect.read_flow_runs(deployment_filter=mine, limit=200)
    return sorted(found, key=lambda run: (run.start_time is None, run.start_time or run.created))


def at_once(intervals: list[tuple[Any, Any]]) -> int:
    """Return how many of the intervals overlap at most.

    Example:
        >>> at_once([(1, 4), (2, 3), (4, 5)])
        2
    """
    ends = sorted([(begin, 1) for begin, _ in intervals] + [(end, -1) for _, end in intervals])
    most = running = 0
    for _, change in ends:
        running += change
        most = max(most, running)
    return most


def make(root: Path, validate: str) -> Project:
    """Write the tiny project of the trials with this file as its own flow 'validate'."""
    project: Project = chaos.make(root)
    (root / "flows" / "validate.py").write_text(validate, encoding="utf-8")
    return project
