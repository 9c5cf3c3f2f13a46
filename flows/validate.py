"""Validate one registered model version: every stage and check is a task, and the verdict is in MLflow.

The flow run is Failed unless the verdict is pass. The model runs in a process of its own, without credentials and
within limits; one that ends this process, exceeds a limit or never answers gets the verdict `error`.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from seatrial.orchestration import steps

resolve = task(steps.resolve, task_run_name="resolve {uri}", cache_policy=NO_CACHE)
fetch = task(steps.fetch, task_run_name="fetch model and reference", cache_policy=NO_CACHE)
load = task(steps.load, task_run_name="load model", cache_policy=NO_CACHE)
run_case = task(steps.run_case, task_run_name="{case}", cache_policy=NO_CACHE)
commit = task(steps.commit, task_run_name="commit verdict", cache_policy=NO_CACHE)


@flow(
    name="validate", flow_run_name="{model_uri}", description=__doc__, validate_parameters=False,
    task_runner=ThreadPoolTaskRunner(max_workers=4),
)  # fmt: skip
def validate(
    model_uri: str, project: str = ".", only: list[str] | None = None, skip: list[str] | None = None,
    live: list[str] | None = None, in_process: bool = False, reference: str | None = None, target: str | None = None,
    seed: int = 0,
) -> State[Any]:  # fmt: skip
    """Validate one version. A run that leaves something out is logged, and commits no verdict on the version.

    Args:
        model_uri: the version, such as models:/payments/1 or models:/payments@champion.
        project: the directory of the seatrial project.
        only: checks to run; all by default.
        skip: checks to leave out.
        live: dependencies to query again beside their recorded answers.
        in_process: leave out the live service.
        reference: the directory of another reference than the version's own; in part too.
        target: the address of a service that runs already, in the place of the pipeline's; in part too.
        seed: of every random choice.
    """
    chosen = {
        "only": only, "skip": skip, "live": live, "in_process": in_process, "reference": reference, "target": target,
        "seed": seed,
    }  # fmt: skip
    with steps.open_validation(steps.open_project(project), "validate", **chosen) as validation:
        fetch(validation, resolve(model_uri))
        validation.plan(load(validation, return_state=True))
        steps.wait_for([run_case.submit(case, validation) for case in validation.concurrent_cases])
        for case in validation.service_cases:
            steps.wait_for([run_case.submit(case, validation)])
        validation.sum_up()
    commit(validation)
    return validation.state()
