"""Put one registered model version under load, then break its dependencies, one at a time.

Nothing runs beside anything else, so that the service alone is measured. The flow run is Failed unless the verdict is
pass. The version keeps the verdict of its validation.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from seatrial.orchestration import steps

resolve = task(steps.resolve, task_run_name="resolve {uri}", cache_policy=NO_CACHE)
fetch = task(steps.fetch, task_run_name="fetch model and reference", cache_policy=NO_CACHE)
load = task(steps.load, task_run_name="load model", cache_policy=NO_CACHE)
run_case = task(steps.run_case, task_run_name="{case}", cache_policy=NO_CACHE)
log_verdict = task(steps.commit, name="log_verdict", task_run_name="log verdict", cache_policy=NO_CACHE)


@flow(name="stress", flow_run_name="{model_uri}", description=__doc__, validate_parameters=False)
def stress(
    model_uri: str, project: str = ".", only: list[str] | None = None, skip: list[str] | None = None,
    target: str | None = None, seed: int = 0,
) -> State[Any]:  # fmt: skip
    """Run the load and resilience checks on one version.

    Args:
        model_uri: the version, such as models:/payments/1 or models:/payments@champion.
        project: the directory of the seatrial project.
        only: load or resilience; both by default.
        skip: the one to leave out.
        target: the address of a service that runs already, in the place of the pipeline's.
        seed: of every random choice.
    """
    here = steps.open_project(project)
    with steps.open_validation(here, "stress", only=only, skip=skip, target=target, seed=seed) as validation:
        fetch(validation, resolve(model_uri))
        validation.plan(load(validation, return_state=True))
        for case in validation.cases:
            run_case(case, validation, return_state=True)
        validation.sum_up()
    log_verdict(validation)
    return validation.state()
