"""Start the worker of a project, in the environment that the project names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from seatrial.errors import EnvironmentUnavailable
from seatrial.isolation.launch import launch_of
from seatrial.isolation.replayer import RemoteReplayer
from seatrial.project import MODEL_PYTHON, Project

ENVIRONMENTS = "environments"  # below the project's state


def open_replayer(project: Project, model: Path | None = None, *, at_once: int = 1) -> RemoteReplayer:
    """Return the replayer of a worker that reads the project's pipeline at once; use it in a ``with`` block.

    Args:
        project: whose pipeline is run.
        model: the directory of the version's model, from which its environment is built where the project says so.
        at_once: how many processes run the project's code in it; what each may take, all may take together.

    Raises:
        EnvironmentUnavailable: the environment of the version cannot be built here, and why.
        UsageError: there is no interpreter where the project says.
        IsolationError: the project requires isolation that cannot be had here.
    """
    python = None
    if project.python == MODEL_PYTHON:
        if model is None:
            raise EnvironmentUnavailable(
                "[tool.seatrial] python is 'model', and there is no version whose environment could be built. Name one."
            )
        from seatrial.isolation.environments.build import model_environment

        python = str(model_environment(model, cache=project.state / ENVIRONMENTS).python)
    launch = launch_of(project, python)
    together = {name: launch.limits[name] * at_once for name in ("memory_bytes", "processes")}
    return RemoteReplayer(
        replace(launch, limits={**launch.limits, **together}),
        (project.pipeline_file, project.pipeline_name),
        root=project.root,
        load_seconds=project.limits.load_seconds,
        case_seconds=project.limits.case_seconds,
    )
