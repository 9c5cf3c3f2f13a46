"""Where a flow comes from: the project's own file where it keeps one, else the file that is part of seatrial.

The flow ``NAME`` is the function ``NAME`` in ``NAME.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seatrial.errors import ProjectError, UsageError, unknown
from seatrial.io.loading import load_file
from seatrial.project import Project

PACKAGE = Path(__file__).resolve().parents[1]


def packaged() -> Path:
    """Return the directory that holds ``flows``, ``deployments``, ``expectations`` and the example.

    It is part of the package in an installed wheel, and the root of the repository in a checkout.

    Raises:
        UsageError: the installation lacks these files.

    Example:
        >>> (packaged() / "flows" / "validate.py").is_file()
        True
    """
    for root in (PACKAGE / "_project", PACKAGE.parents[1]):
        if (root / "flows" / "validate.py").is_file():
            return root
    raise UsageError(
        "This installation of seatrial lacks its flows. Install it again: "
        "pip install --force-reinstall --no-deps seatrial"
    )


def flow_names() -> tuple[str, ...]:
    """Return the names of the flows that are part of seatrial, sorted."""
    return tuple(sorted(path.stem for path in (packaged() / "flows").glob("*.py")))


def flow_file(project: Project, name: str) -> Path:
    """Return the file of a flow: the project's own ``NAME.py``, else the packaged one.

    Raises:
        ProjectError: neither exists, with the nearest name; or the setting ``flows`` names no folder.
    """
    if project.flows != project.root / "flows" and not project.flows.is_dir():
        raise ProjectError(
            f"[tool.seatrial] flows names {project.flows}, which is not a folder. Remove the setting to use the "
            "packaged flows, or copy them there: seatrial upgrade --copy flows"
        )
    for path in (project.flows / f"{name}.py", packaged() / "flows" / f"{name}.py"):
        if path.is_file():
            return path
    raise ProjectError(unknown("Flow", name, flow_names()))


def is_own(project: Project, name: str) -> bool:
    """Return whether a flow is the project's own file."""
    return (project.flows / f"{name}.py").is_file()


def load_flow(project: Project, name: str) -> Any:
    """Load a flow of the project by name, as a Prefect flow.

    Raises:
        ProjectError: there is no such flow, its file cannot be loaded, or the file does not define it.
    """
    file = flow_file(project, name)
    flow = getattr(load_file(file, ProjectError), name, None)
    if flow is None:
        raise ProjectError(f"{file} does not define the flow '{name}'. Add a function '{name}' decorated with @flow.")
    return flow
