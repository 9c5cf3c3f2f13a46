"""Capture the reference of a registered version: its path is run on request rows and kept beside its model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from seatrial import Reference, capture, registry
from seatrial.io.tables import read_table
from seatrial.project import Project
from seatrial.sinks.files import slug


@task(task_run_name="resolve {uri}", cache_policy=NO_CACHE)
def resolve(uri: str) -> registry.Version:
    """Ask the registry which version is meant, and refuse one that has a reference or no run to store it with."""
    version = registry.resolve(uri)
    registry.of(uri).can_take_reference(version)
    return version


@task(task_run_name="run the path", cache_policy=NO_CACHE)
def run_path(here: Project, version: registry.Version, frames: dict[str, Any], seed: int) -> Reference:
    """Run every stage on the requests, twice, with the live dependencies."""
    model = registry.of(version.uri).download_model(
        version, here.state / "versions" / slug(f"{version.name}-{version.number}") / "model"
    )
    return capture(
        here.pipeline(), model=str(model), seed=seed, run_id=version.run_id, registry=version.scheme, **frames
    )


@flow(name="capture", flow_run_name="{model_uri}", description=__doc__, validate_parameters=False)
def capture_reference(
    model_uri: str,
    requests: str,
    project: str = ".",
    given: dict[str, str] | None = None,
    labels: str | None = None,
    seed: int = 0,
) -> str:
    """Capture and store a reference; return its digest.

    Args:
        model_uri: the version, such as models:/payments/1.
        requests: a file of request rows: Parquet, CSV or JSON lines.
        project: the directory of the seatrial project.
        given: stage to a file with the frame that training itself used.
        labels: a file with the key column and the labels.
        seed: the seed the requests were drawn with.
    """
    here = Project.find(project)
    here.settle()
    version = resolve(model_uri)
    tables: dict[str, Any] = {"requests": read_table(Path(requests))}
    tables["given"] = {stage: read_table(Path(file)) for stage, file in (given or {}).items()}
    labelled: pd.DataFrame | None = read_table(Path(labels)) if labels else None
    reference = run_path(here, version, {**tables, "labels": labelled}, seed)
    create_markdown_artifact(
        key=slug(f"reference-{version.name}"),
        markdown=f"`{reference.digest}` with {len(reference.requests):,} requests: {' → '.join(reference.stages)}",
        description=f"Reference of {version.name} version {version.number}",
    )
    return reference.digest
