"""The flows as Prefect deployments name them: ``seatrial.orchestration.entrypoints.validate`` and so on.

Each name is looked up when Prefect loads it, in the project of the working directory: a deployment needs no copy of
the flows, and uses the project's own file from the moment there is one.
"""

from __future__ import annotations

from typing import Any

from seatrial.orchestration.flow_files import load_flow
from seatrial.project import Project


def __getattr__(name: str) -> Any:
    """Return the flow of this name.

    Raises:
        AttributeError: it is a name of Python's own, which no flow has.
        ProjectError: there is no project here, or it has no such flow.
    """
    if name.startswith("_"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return load_flow(Project.find(), name)
