"""Which checks come before which command. Each takes a fraction of a second where all is well."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seatrial import plugins, registry
from seatrial.cli.preflight.pipeline import check_expectations, check_live, check_pipeline, check_program
from seatrial.cli.preflight.servers import check_ledger, check_prefect, check_signing_key
from seatrial.cli.preflight.sketch import Sketch
from seatrial.errors import UsageError, nearest, unknown
from seatrial.formatting import plural
from seatrial.io.tables.files import check_table
from seatrial.orchestration.flow_files import flow_file
from seatrial.project import Project
from seatrial.promotion.keyring import public_keys
from seatrial.registry.early import RefusesEarly, Use

WHOLE = ("only", "skip", "in_process", "target")  # with one of these, the service may not be started


def version(uri: str, use: Use = "look up") -> None:
    """Refuse a version that the registry, asked without what is slow to import, does not have.

    Raises:
        SeatrialError: see :class:`seatrial.registry.early.RefusesEarly`.
    """
    found = registry.of(uri)
    if isinstance(found, RefusesEarly):
        found.refuse(uri, use)


def validation(project: Project, uri: str, chosen: Mapping[str, Any], flow: str = "validate") -> Sketch:
    """Refuse a validation or stress test that cannot begin, and return what the pipeline's file says.

    Args:
        project: whose pipeline it is.
        uri: of the version.
        chosen: the options.
        flow: ``validate`` or ``stress``.
    """
    flow_file(project, flow)
    version(uri, "validate")
    sketch = check_pipeline(project)
    check_live(sketch, chosen.get("live") or ())
    check_expectations(project, sketch)
    if flow == "validate" and not any(chosen.get(name) for name in WHOLE):
        check_program(project, sketch)
        check_signing_key(project)
    check_ledger()
    check_prefect()
    return sketch


def verification(directory: Path, uri: str) -> None:
    """Refuse to verify a version that is not registered, or where no public key is."""
    project = Project.find(directory)
    project.activate()
    public_keys(project.state)
    version(uri)


def fixture(directory: Path, name: str | None, uri: str | None = None) -> None:
    """Refuse a fixture that ``expectations/fixtures.toml`` does not declare, and a version that is not registered."""
    from seatrial.fixtures.spec_file import FILE, read

    project = Project.find(directory)
    project.activate()
    declared = read(project.expectations / FILE)
    if name is not None:
        declared[name]  # raises, with the nearest name
    if uri is not None:
        version(uri, "validate")


def mutation(directory: Path, uri: str | None) -> None:
    """Refuse a mutation test whose pipeline, policy or version cannot be used."""
    project = Project.find(directory)
    project.activate()
    check_expectations(project, check_pipeline(project))
    if uri is not None:
        version(uri, "validate")


def capture(project: Project, uri: str, requests: Path, given: Mapping[str, str], labels: Path | None) -> None:
    """Refuse a capture that cannot begin: its files, its stages, its version."""
    beside = [*map(Path, given.values()), *([labels] if labels else [])]
    if requests.is_dir() and beside:
        raise UsageError(
            f"{requests} is a folder, whose requests are captured in partitions: --given and --labels need a file of "
            "requests. Name one."
        )
    for file in beside if requests.is_dir() else (requests, *beside):
        check_table(file)
    sketch = check_pipeline(project)
    for stage in given if sketch.stages is not None else ():
        if stage not in (sketch.stages or ()):
            raise UsageError(f"--given: {unknown('Stage', stage, sketch.stages or ())}")
    version(uri, "capture")
    check_prefect()


def requests_at(requests: Path) -> str:
    """Return what there is to capture, in a sentence."""
    from seatrial.io.tables.read import read_table, types_of
    from seatrial.parity.streaming.tables import dataset

    if requests.is_dir():
        found = dataset(requests)
        columns = ", ".join(f"{field.name} {field.type}" for field in found.schema)
        return f"Found {found.rows:,} requests in {plural(len(found.files), 'file')} of {requests.name}: {columns}"
    rows = read_table(requests)
    return f"Read {len(rows):,} requests from {requests.name}: {types_of(rows)}"


def effects(project: Project) -> None:
    """Refuse to apply effects with a ledger or a tracker that cannot be used."""
    for name in project.trackers:
        plugins.load("trackers", name)
    check_ledger()


def reconciliation(project: Project, model: str) -> None:
    """Refuse to reconcile with a project, a ledger or a server that cannot be used."""
    if model and not project.owns(model):
        raise UsageError(
            f"--model: '{model}' is not one of the project's models. [tool.seatrial] models: "
            f"{', '.join(project.models)}.{nearest(model, project.models)}"
        )
    plugins.load("registries", project.registry)
    check_expectations(project, check_pipeline(project))
    check_signing_key(project)
    check_ledger()
    check_prefect()
