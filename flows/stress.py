"""Heavy weather for one registered model version: load against its objective, then its dependencies broken, one by one.

Nothing runs beside anything else: what is measured is the service. The flow run is Failed unless the verdict is pass.
The model runs in a process of its own, without credentials and within limits.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from seatrial import checks, registry
from seatrial.events import Case, Event, Verdict
from seatrial.io.files import workplace
from seatrial.isolation import IsolatedTrial, isolated
from seatrial.orchestration.tasks import concluded, evaluated, promoted_model
from seatrial.project import Project
from seatrial.registry.mlflow.tracking import record
from seatrial.sinks.base import LISTENERS
from seatrial.sinks.files import directory_for, write_results

CHECKS = ("load", "resilience")


@task(task_run_name="fetch {model_uri}", cache_policy=NO_CACHE)
def fetch(model_uri: str, into: Path) -> registry.Fetched:
    """Ask the registry which version is meant, download its files and verify its reference."""
    return registry.fetch(registry.resolve(model_uri), into)


@task(task_run_name="load model", cache_policy=NO_CACHE)
def load(child: IsolatedTrial, fetched: registry.Fetched, chosen: dict[str, Any]) -> State[Any]:
    """Load the model in its process, beside the promoted one; red where it cannot be loaded."""
    champion = promoted_model(child, fetched)
    why = child.load(fetched.model, fetched.reference, champion=champion, **chosen)
    return Failed(message=why) if why else Completed(message=f"{len(child.planned)} questions")


@task(task_run_name="{case}", cache_policy=NO_CACHE)
def judge(case: Case, child: IsolatedTrial, heard: list[Event]) -> State[Any]:
    """Ask one question; the task is red where the answer is not as it should be."""
    return evaluated(case, child, heard, "held")


@task(task_run_name="verdict", cache_policy=NO_CACHE)
def conclude(verdict: Verdict, events: list[Event], fetched: registry.Fetched, state: Path) -> str:
    """Write the verdict's files and log all of it to MLflow; the version keeps the verdict of its validation."""
    directory = directory_for(state, verdict.subject, "stress")
    write_results(verdict, events, directory)
    return record(verdict, fetched, directory)


@flow(name="stress", flow_run_name="{model_uri}", description=__doc__, validate_parameters=False)
def stress(
    model_uri: str,
    project: str = ".",
    only: list[str] | None = None,
    skip: list[str] | None = None,
    seed: int = 0,
) -> State[Any]:
    """Put one version under load and break what it depends on.

    Args:
        model_uri: the version, such as models:/payments/1 or models:/payments@champion.
        project: the directory of the seatrial project.
        only: load or resilience; both by default.
        skip: the one to leave out.
        seed: of every random choice.
    """
    begin = time.perf_counter()
    here = Project.find(project)
    here.settle()
    checks.known([*(only or []), *(skip or [])])
    chosen = {"only": only or list(CHECKS), "skip": skip or [], "seed": seed}
    heard: list[Event] = []
    with workplace(here.state / "versions") as folder, isolated(here) as child:
        fetched = fetch(model_uri, folder)
        load(child, fetched, chosen, return_state=True).result(raise_on_failure=child.broken is None)
        for why in child.not_run:
            get_run_logger().warning("Not asked: %s", why)
        for listener in LISTENERS.get():
            listener.planned(child.planned)
        for case in child.planned:
            judge(case, child, heard, return_state=True)
        seconds = time.perf_counter() - begin
        verdict = child.verdict(heard, child.planned, subject=fetched.subject, seconds=seconds)
    conclude(verdict, heard, fetched, here.state)
    more = f" ({'; '.join(child.not_run)})" if child.not_run and not child.planned else ""
    return concluded(verdict, f"Heavy weather for {verdict.subject}", page="stress", more=more)
