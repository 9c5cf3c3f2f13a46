"""Give every registered version its verdict: find what is new, validate it, and update the registry.

It may run as often as you like, and several at once: each version is validated by one of them.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from seatrial.orchestration import steps

scan = task(steps.scan, task_run_name="scan the registry", cache_policy=NO_CACHE)
apply_effects = task(steps.apply_effects, task_run_name="apply effects", cache_policy=NO_CACHE)
show_status = task(steps.show_status, task_run_name="show status", cache_policy=NO_CACHE)
check_aliases = task(steps.check_aliases, task_run_name="check aliases", cache_policy=NO_CACHE)


@flow(name="reconcile", flow_run_name=steps.reconcile_run_name, description=__doc__, validate_parameters=False)
def reconcile(project: str = ".", model: str = "", most: int = 0, hashing: bool = False) -> State[Any]:
    """Scan once, validate what is due, apply the effects of each verdict, and show where every version stands.

    As a run of a deployment it creates a flow run for each version that is due, which the workers of the pool share.

    When the whole registry is listed, once an hour, promoted versions are hashed again and compared with what passed.

    Args:
        project: the directory of the seatrial project.
        model: limit the scan to this registered model; all by default.
        most: versions to validate in this run; 0 is all that are due.
        hashing: hash promoted versions in this run, too.
    """
    with steps.open_reconciliation(steps.open_project(project)) as run:
        complete = scan(run, model)
        apply_effects(run)  # those that a worker left behind when it died
        show_status(run)
        for job in () if run.dispatch(most) else run.jobs(most):
            run.validate(job)
            apply_effects(run)
            show_status(run)
        check_aliases(run, hashing or complete)
    return run.state()
