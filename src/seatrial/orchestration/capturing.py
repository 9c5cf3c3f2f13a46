"""Capture the reference of a registered version: its stages run in a worker, what they returned is stored beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from seatrial import registry
from seatrial.errors import IsolationError
from seatrial.formatting import slug
from seatrial.io.tables.read import read_table
from seatrial.isolation.opening.project import open_replayer
from seatrial.project import Project
from seatrial.reference.snapshot import Reference


def resolve_for_capture(uri: str) -> registry.Version:
    """Look up the version, and refuse one that has a reference already, or no run to store one with."""
    version = registry.resolve(uri)
    registry.references(version).can_take_reference(version)
    return version


def capture(
    project: Project,
    version: registry.Version,
    requests: str,
    given: Mapping[str, str] | None = None,
    labels: str | None = None,
    seed: int = 0,
) -> Reference:
    """Run every stage on the requests, twice, with the live dependencies, and store what they returned.

    Args:
        project: whose pipeline is run.
        version: whose model is run.
        requests: the file of request rows.
        given: stage to a file with the frame that training itself used.
        labels: a file with the key column and the labels.
        seed: the seed the requests were drawn with.
    """
    rows = read_table(Path(requests))
    frames = {stage: read_table(Path(file)) for stage, file in (given or {}).items()}
    folder = project.state / "versions" / slug(f"{version.name}-{version.number}")
    model = registry.of(version.uri).fetch(version, folder / "model")
    with open_replayer(project, model) as replayer:
        replayer.pipeline()
        try:
            reference = replayer.capture(
                rows, model=model, given=frames, labels=read_table(Path(labels)) if labels else None, seed=seed
            )
        except IsolationError as error:
            if error.details:  # of the project's own code, and for its author alone
                told = "Nothing was captured: each stage must return a frame for these requests."
                error.args = (f"{str(error).rstrip('.')}. {told}",)
            raise
    registry.references(version).store_reference(reference, version.run_id)
    return reference


def show_reference(version: registry.Version, reference: Reference) -> str:
    """Show the reference on the flow run's page, and return its digest."""
    create_markdown_artifact(
        key=slug(f"reference-{version.name}"),
        markdown=f"`{reference.digest}` with {len(reference.requests):,} requests: {' → '.join(reference.stages)}",
        description=f"Reference of {version.name} version {version.number}",
    )
    return reference.digest
