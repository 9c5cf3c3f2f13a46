"""Reconcile one model now, because its registry reports a new version. The webhook's receiver starts it.

The event is only a hint: the version is looked up, and gets its verdict like every other.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from seatrial.orchestration import steps


@flow(name="registered", flow_run_name="{name} version {number} registered", description=__doc__)
def registered(name: str, number: str = "?", project: str = ".") -> State[Any]:  # noqa: ARG001  in the run's name
    """Reconcile one model now.

    Args:
        name: the registered model.
        number: the version that the event names; shown, and not used otherwise.
        project: the directory of the seatrial project.
    """
    here = steps.open_project(project)
    return steps.load_flow(here, "reconcile").fn(project=str(here.root), model=name)
