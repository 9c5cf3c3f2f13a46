"""Look now, at one model: its registry says that a version was registered. Begun by the webhook's receiver.

What the event says is believed no further than that: the version is looked up, and gets its verdict as every other.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from seatrial.errors import ProjectError
from seatrial.io.loading import load_file
from seatrial.project import Project


@flow(name="registered", flow_run_name="{name} version {number} registered", description=__doc__)
def registered(name: str, number: str = "?", project: str = ".") -> State[Any]:  # noqa: ARG001  the run's name has it
    """Look at one model now, and validate what is due.

    Args:
        name: the registered model.
        number: the version that the event spoke of; shown, and nothing else.
        project: the directory of the seatrial project.
    """
    here = Project.find(project)
    reconcile = load_file(here.flows / "reconcile.py", ProjectError).reconcile
    state: State[Any] = reconcile.fn(project=str(here.root), model=name)
    return state
