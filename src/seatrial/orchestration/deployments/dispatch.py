"""Offer each job that is due to the workers of the project's pool, as a flow run of its own.

A flow run is an offer and holds no lease: it claims its job when it starts. The ledger is thus right whatever becomes
of the run, and two runs of one job cannot both have it. The key of a run names the job's token, which changes with each
claim: a run is created once for each attempt, by however many reconcilers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from seatrial.ledger import DueJob, Fenced, Ledger
from seatrial.orchestration.deployments import names
from seatrial.orchestration.prefect_api import client
from seatrial.project import Project
from seatrial.promotion import reconcile as reconciling

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.schemas.objects import FlowRun

AT_ONCE = 200  # offered at the same time, and runs in one answer of Prefect; the next reconcile offers more
BEGIN_SECONDS = 900.0  # for a run that a worker took to claim its job: its own automations are earlier
WAIT_SECONDS = 300.0  # before a run that nobody takes is told


@dataclass(frozen=True)
class Dispatched:
    """What became of the jobs that are due.

    Attributes:
        created: flow runs that were created.
        waiting: flow runs that no worker has taken yet, those created now among them.
        lost: why each run that ended or was lost before it claimed its job did; the job is due again after a pause.
        hint: what to do where runs wait for long; empty where none does.
    """

    created: int = 0
    waiting: int = 0
    lost: tuple[str, ...] = ()
    hint: str = ""


def dispatch(project: Project, ledger: Ledger, most: int = 0) -> Dispatched | None:
    """Create a flow run for each job that is due and has none; None where the project has no deployment for them.

    Args:
        project: has the deployment; its models are validated.
        ledger: has the jobs.
        most: jobs to offer; 0 for as many as there are, up to a bound.

    Raises:
        TargetError: Prefect does not answer.
    """
    from prefect.exceptions import ObjectNotFound

    due = ledger.due(min(most or AT_ONCE, AT_ONCE), models=reconciling.own_models(ledger, project.models))
    with client("start validations") as prefect:
        try:
            deployment = prefect.read_deployment_by_name(names.when_due(project))
        except ObjectNotFound:
            return None
        keys = {f"{ledger.id}/{job}": job for job in due}
        runs = _runs(prefect, deployment.id, list(keys))
        lost = {key: why for key, run in runs.items() if (why := _lost(run))}
        new = [key for key in keys if key not in runs]
        for key in new:
            parameters = {"model_uri": keys[key].uri, "job": str(keys[key])}
            prefect.create_flow_run_from_deployment(deployment.id, parameters=parameters, idempotency_key=key)
        idle = [run for run in runs.values() if run.state is None or run.state.is_scheduled()]
        hint = _hint(prefect, deployment.work_pool_name) if any(map(_is_late, idle)) else ""
    told = tuple(_given_back(ledger, keys[key], why) for key, why in lost.items())
    return Dispatched(len(new), len(new) + len(idle), tuple(filter(None, told)), hint)


def _runs(prefect: Any, deployment: UUID, keys: Sequence[str]) -> Mapping[str, FlowRun]:
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterDeploymentId,
        FlowRunFilterIdempotencyKey,
    )

    if not keys:
        return {}
    mine = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        idempotency_key=FlowRunFilterIdempotencyKey(any_=list(keys)),
    )
    return {run.idempotency_key: run for run in prefect.read_flow_runs(flow_run_filter=mine, limit=AT_ONCE)}


def _lost(run: FlowRun) -> str:
    """Return why a run will not claim its job any more; empty where it may."""
    state = run.state
    if state is None or state.is_scheduled() or state.is_paused():
        return ""
    said = f"{state.name}: {state.message}" if state.message else str(state.name)
    if state.is_final():
        return f"its flow run '{run.name}' ended before it began ({said})"
    if _age(state.timestamp) > BEGIN_SECONDS:
        return f"its flow run '{run.name}' did not begin within {BEGIN_SECONDS / 60:.0f} minutes ({said})"
    return ""


def _given_back(ledger: Ledger, job: DueJob, why: str) -> str:
    """Have a job be due again after a pause, under another token; empty where somebody has it meanwhile."""
    claimed = ledger.claim("dispatch", only=job)
    if claimed is None:
        return ""
    try:
        ledger.release(claimed, why, counted=False)
    except Fenced:
        return ""
    return f"{job.uri} will be tried again: {why}"


def _is_late(run: FlowRun) -> bool:
    return run.expected_start_time is not None and _age(run.expected_start_time) > WAIT_SECONDS


def _age(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def _hint(prefect: Any, pool: str | None) -> str:
    from prefect.exceptions import ObjectNotFound

    try:
        found = prefect.read_work_pool(pool) if pool else None
    except ObjectNotFound:
        found = None
    if found is None:
        return f"Work pool '{pool}' does not exist any more. Create it again: seatrial deploy"
    if found.is_paused:
        return f"Work pool '{pool}' is paused. To go on: prefect work-pool resume {pool}"
    return f"No worker of work pool '{pool}' is free. To validate more at once: seatrial worker, on another machine too"
