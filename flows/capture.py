"""Capture the reference of a registered version: run its pipeline on request rows, and store what it returned."""

from __future__ import annotations

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from seatrial.orchestration import steps

resolve = task(steps.resolve_for_capture, name="resolve", task_run_name="resolve {uri}", cache_policy=NO_CACHE)
run_pipeline = task(steps.capture, name="run_pipeline", task_run_name="run the pipeline", cache_policy=NO_CACHE)


@flow(name="capture", flow_run_name="{model_uri}", description=__doc__, validate_parameters=False)
def capture(
    model_uri: str, requests: str, project: str = ".", given: dict[str, str] | None = None, labels: str | None = None,
    seed: int = 0,
) -> str:  # fmt: skip
    """Capture and store a reference; return its digest.

    Args:
        model_uri: the version, such as models:/payments/1.
        requests: a file of request rows: Parquet, CSV or JSON lines; or a folder of Parquet files.
        project: the directory of the seatrial project.
        given: stage to a file with the frame that training itself used.
        labels: a file with the key column and the labels.
        seed: the seed the requests were drawn with.
    """
    here = steps.open_project(project)
    version = resolve(model_uri)
    return steps.show_reference(version, run_pipeline(here, version, requests, given, labels, seed))
