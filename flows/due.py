"""Validate one version that waits for its verdict. The flow ``reconcile`` creates a run of this one for each.

Runs of any number of workers may be at it at once: each claims its own job in the ledger, and renews its lease.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from seatrial.orchestration import steps

apply_effects = task(steps.apply_effects, task_run_name="apply effects", cache_policy=NO_CACHE)


@flow(
    name="due", flow_run_name="{model_uri}", description=__doc__, validate_parameters=False,
    task_runner=ThreadPoolTaskRunner(max_workers=4),
)  # fmt: skip
def due(model_uri: str, job: str, project: str = ".") -> State[Any]:
    """Claim the job and validate its version by the project's flow ``validate``, then apply the verdict's effects.

    Args:
        model_uri: the version, shown.
        job: as the ledger names it. Where somebody else has claimed it, the run ends at once.
        project: the directory of the seatrial project.
    """
    with steps.open_reconciliation(steps.open_project(project)) as run:
        state = run.validate_due(job, model_uri)
        apply_effects(run)
    return state
