"""Validate or stress every promoted version again: dependencies, machine or policy may have changed since it passed."""

from __future__ import annotations

from typing import Any, Literal

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from seatrial.orchestration import steps

list_promoted = task(
    steps.promoted_versions, task_run_name="list promoted versions", cache_policy=NO_CACHE, retries=5,
    retry_delay_seconds=60,
)  # fmt: skip


@flow(name="promoted", flow_run_name="{what} promoted versions", description=__doc__, timeout_seconds=6 * 3600)
def promoted(what: Literal["validate", "stress"] = "validate", alias: str = "", project: str = ".") -> State[Any]:
    """Validate or stress every promoted version, one after the other.

    Args:
        what: validate runs every check and commits a new verdict; stress runs load and resilience alone.
        alias: the alias that marks a promoted version; by default the one the policy names.
        project: the directory of the seatrial project.
    """
    here = steps.open_project(project)
    run, states = steps.load_flow(here, what), {}
    for uri in list_promoted(here, alias):
        with steps.tagged(here):
            states[uri] = run(model_uri=uri, project=str(here.root), return_state=True)
    return steps.all_passed(states)
