"""Capture the reference of a registered version: its stages run in a worker, what they returned is stored beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from seatrial import registry
from seatrial.errors import IsolationError
from seatrial.formatting import slug
from seatrial.io.tables.read import read_table
from seatrial.isolation.capture import capture_in
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
        requests: the file of request rows, or a folder of Parquet files, which are captured in partitions.
        given: stage to a file with the frame that training itself used.
        labels: a file with the key column and the labels.
        seed: the seed the requests were drawn with.
    """
    path = Path(requests)
    rows = path if path.is_dir() else read_table(path)
    frames = {stage: read_table(Path(file)) for stage, file in (given or {}).items()}
    folder = project.state / "versions" / slug(f"{version.name}-{version.number}")
    model = registry.of(version.uri).fetch(version, folder / "model")
    with open_replayer(project, model) as replayer:
        replayer.pipeline()
        try:
            truth = read_table(Path(labels)) if labels else None
            reference = capture_in(replayer, rows, model=model, given=frames, labels=truth, seed=seed)
        except IsolationError as error:
            if error.details:  # of the project's own code, and for its author alone
                told = "Nothing was captured: each stage must return a frame for these requests."
                error.args = (f"{str(error).rstrip('.')}. {told}",)
            raise
    registry.references(version).store_reference(reference, version.run_id)
    return reference


def show_reference(version: registry.Version, reference: Reference) -> str:
    """Show the reference on the flow run's page, and return its digest."""
    count = reference.manifest.get("requests") or len(reference.requests)
    create_markdown_artifact(
        key=slug(f"reference-{version.name}"),
        markdown=f"`{reference.digest}` with {count:,} requests: {' → '.join(reference.stages)}",
        description=f"Reference of {version.name} version {version.number}",
    )
    return reference.digest
