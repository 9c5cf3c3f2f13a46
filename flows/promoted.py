"""Ask again of every promoted version: its dependencies, its machine or the policy may have changed since it passed."""

from __future__ import annotations

import fnmatch
from typing import Any, Literal

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from seatrial import registry
from seatrial.errors import ProjectError
from seatrial.io.loading import load_file
from seatrial.policy.service import promotion
from seatrial.project import Project


@task(task_run_name="list what is promoted", cache_policy=NO_CACHE, retries=5, retry_delay_seconds=60)
def standing(here: Project, alias: str) -> list[str]:
    """Return the versions the alias stands on, one a model of the project."""
    held = {
        name: aliases[alias] for name, aliases in registry.named(here.registry).aliases().items() if alias in aliases
    }
    own = {name for pattern in here.models for name in fnmatch.filter(held, pattern)}
    return [f"{here.registry}:/{name}/{held[name]}" for name in sorted(own)]


@flow(name="promoted", flow_run_name="{what} what is promoted", description=__doc__, timeout_seconds=6 * 3600)
def promoted(what: Literal["validate", "stress"] = "validate", alias: str = "", project: str = ".") -> State[Any]:
    """Validate or stress every promoted version, one after the other.

    Args:
        what: validate asks every check and writes a new verdict; stress is load and resilience alone.
        alias: the alias that promotes; the one the policy names by default.
        project: the directory of the seatrial project.
    """
    here = Project.find(project)
    here.settle()
    run = getattr(load_file(here.flows / f"{what}.py", ProjectError), what)
    ended = {}
    for uri in standing(here, alias or promotion(here.expectations).alias or registry.VALIDATED):
        state = run(model_uri=uri, project=str(here.root), return_state=True)
        ended[uri] = state
        get_run_logger().info("%s: %s", uri, state.message)
    if not ended:
        return Completed(message="nothing is promoted")
    bad = [uri for uri, state in ended.items() if not state.is_completed()]
    if bad:
        return Failed(message=f"{len(bad)} of {len(ended)} did not pass: {', '.join(bad)}")
    return Completed(message=f"{len(ended)} passed")
