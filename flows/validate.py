"""Take one registered model version to sea: every stage and check a task, the verdict in MLflow.

The flow run is Failed unless the verdict is pass. Checks run side by side; each is red where it failed. The model
runs in a process of its own, without credentials and within limits: one that ends it, floods it or never answers gets
the verdict `error`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.urls import url_for

from seatrial import Reference, checks, registry
from seatrial.events import Case, Event, Verdict
from seatrial.io.files import workplace
from seatrial.isolation import IsolatedTrial, isolated
from seatrial.orchestration.runner import wait_for
from seatrial.orchestration.tasks import concluded, evaluated, promoted_model
from seatrial.pipeline import SERVICE
from seatrial.project import Project
from seatrial.promotion.commit import commit_verdict
from seatrial.reference.provenance import remarks
from seatrial.sinks.base import LISTENERS
from seatrial.sinks.files import directory_for, write_results


@task(task_run_name="resolve {uri}", cache_policy=NO_CACHE)
def resolve(uri: str) -> registry.Version:
    """Ask the registry which version is meant, now."""
    return registry.resolve(uri)


@task(task_run_name="fetch model and reference", cache_policy=NO_CACHE)
def fetch(version: registry.Version, into: Path) -> registry.Fetched:
    """Download the version's files and verify its reference."""
    return registry.fetch(version, into)


@task(task_run_name="load model", cache_policy=NO_CACHE)
def load(child: IsolatedTrial, fetched: registry.Fetched, chosen: dict[str, Any]) -> State[Any]:
    """Load the model in its process, beside what the promoted version promises; red where it cannot be loaded."""
    champion_contract, read = None, child.read
    if read.serves:
        alias, beside = read.promote or registry.VALIDATED, fetched.model.parent / "promised"
        champion_contract = registry.champion_contract(fetched.version, alias, beside)
    champion = promoted_model(child, fetched)
    why = child.load(fetched.model, fetched.reference, champion=champion, champion_contract=champion_contract, **chosen)
    return Failed(message=why) if why else Completed(message=f"{len(child.planned)} questions")


@task(task_run_name="{case}", cache_policy=NO_CACHE)
def judge(case: Case, child: IsolatedTrial, heard: list[Event]) -> State[Any]:
    """Ask one question; the task is red where the answer is not as it should be."""
    return evaluated(case, child, heard, "as in training")


@task(task_run_name="verdict", cache_policy=NO_CACHE)
def conclude(verdict: Verdict, events: list[Event], here: Project, fetched: registry.Fetched, whole: bool) -> str:
    """Write the verdict's files and keep it: in the ledger, and from there in MLflow."""
    directory = directory_for(here.state, verdict.subject)
    write_results(verdict, events, directory)
    page = url_for("flow-run", flow_run.id) if deployment.id else ""  # in a terminal, the server ends with the command
    return commit_verdict(here, verdict, fetched, directory, whole=whole, page=page or "")


@flow(
    name="validate",
    flow_run_name="{model_uri}",
    description=__doc__,
    task_runner=ThreadPoolTaskRunner(max_workers=4),  # type: ignore[arg-type]
    validate_parameters=False,
)
def validate(
    model_uri: str,
    project: str = ".",
    only: list[str] | None = None,
    skip: list[str] | None = None,
    live: list[str] | None = None,
    in_process: bool = False,
    reference: str | None = None,
    seed: int = 0,
) -> State[Any]:
    """Validate one version. A run that leaves something out is logged and leaves no verdict on the version.

    Whatever the model does, the flow ends with a verdict: `error` and the reason where it raised when loaded, ended or
    flooded its process, or did not answer in time. An exception is about something else: the registry or the ledger
    cannot be reached, or pipeline, policy or reference cannot be used.

    Args:
        model_uri: the version, such as models:/payments/1 or models:/payments@champion.
        project: the directory of the seatrial project.
        only: checks to ask; all by default.
        skip: checks to leave out.
        live: dependencies to ask again beside their recorded answers.
        in_process: ask nothing of the live service.
        reference: the directory of another reference than the version's own, as of model predictions; in part too.
        seed: of every random choice.
    """
    begin = time.perf_counter()
    here = Project.find(project)
    here.settle()
    checks.known([*(only or []), *(skip or [])])
    chosen = {"only": only, "skip": skip or [], "live": live or [], "seed": seed}
    heard: list[Event] = []
    with workplace(here.state / "versions") as folder, isolated(here) as child:  # what a check started ends here
        fetched = fetch(resolve(model_uri), folder)
        if reference:
            fetched = replace(fetched, reference=Reference.load(reference))
            heard += remarks(fetched.reference)
        load(child, fetched, chosen, return_state=True).result(raise_on_failure=child.broken is None)
        planned = [q for q in child.planned if not (in_process and on_the_service(q))]
        for listener in LISTENERS.get():
            listener.planned(planned)
        # What takes longest begins first; what is asked of the one live service is asked by itself, at the end.
        side_by_side = sorted((q for q in planned if not on_the_service(q)), key=lambda q: q.check != "invariants")
        wait_for([judge.submit(case, child, heard) for case in side_by_side])
        for case in filter(on_the_service, planned):
            wait_for([judge.submit(case, child, heard)])
        events = in_order(heard, planned)
        verdict = child.verdict(events, planned, subject=fetched.subject, seconds=time.perf_counter() - begin)
    conclude(verdict, events, here, fetched, whole=not (only or skip or in_process or reference))
    return concluded(verdict, f"Verdict of {verdict.subject}", page="verdict", table="findings")


def on_the_service(case: Case) -> bool:
    """Say whether a question is asked of the live service, which answers one at a time."""
    return case.stage == SERVICE or case.check == "resilience"


def in_order(events: list[Event], planned: list[Case]) -> list[Event]:
    """Return the events in the order of the questions, whichever thread was first."""
    place = {(q.check, q.stage): n for n, q in enumerate(planned)}
    return sorted(events, key=lambda e: place.get((e.check, e.stage), len(place)))
