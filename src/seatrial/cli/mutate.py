"""What ``seatrial mutate`` does: fetch a version with its reference, run the mutation test, print its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from seatrial import registry
from seatrial.errors import ProjectError, RegistryError, UsageError
from seatrial.formatting import slug
from seatrial.io.files import atomic_write
from seatrial.isolation.environment import hidden_variable
from seatrial.isolation.opening.project import open_replayer
from seatrial.mutation.forks import ForkServer
from seatrial.mutation.pool import processors
from seatrial.mutation.report import MutationProgress, show
from seatrial.mutation.results import MutationReport
from seatrial.mutation.run import KINDS, run_mutation_test
from seatrial.project import MODEL_PYTHON, Project
from seatrial.registry import Fetched


def mutate(
    directory: Path,
    model_uri: str | None = None,
    *,
    kinds: Sequence[str] | None = None,
    minimum: float | None = None,
    settings: Mapping[str, Any] | None = None,
    json: Path | None = None,
    killers: Path | None = None,
    quiet: bool = False,
) -> int:
    """Run the mutation test of a project and return the exit code.

    Args:
        directory: the project's.
        model_uri: the version; by default the champion, else the newest one.
        kinds: of mutants; all by default.
        minimum: the minimum mutation score, 0 to 1; by default that of service.toml.
        settings: ``sample``, ``rows``, ``jobs``, ``seed`` of :func:`~seatrial.mutation.run.run_mutation_test`.
        json: the file for the whole result.
        killers: the file for the requests that would have killed survivors.
        quiet: print only the summary line.

    Raises:
        UsageError: a minimum that is no share.
    """
    if minimum is not None and not 0 < minimum <= 1:
        raise UsageError(f"--minimum must be above 0 and at most 1; found {minimum:g}. Example: --minimum 0.95")
    project = Project.find(directory)
    project.activate()
    settings = dict(settings or {})
    source = (project.pipeline_file, project.pipeline_name)
    at_once = 1 + (settings.get("jobs") or processors())  # the worker itself, and what it forks
    fetched = _fetched(project, model_uri) if model_uri or project.python == MODEL_PYTHON else None
    model = fetched.model if fetched else None
    with ForkServer(lambda: open_replayer(project, model, at_once=at_once), source, root=project.root) as server:
        try:
            pipeline = server.pipeline()
        except ProjectError as error:
            raise ProjectError(f"{error}{hidden_variable(str(error))}") from error
        policy = project.policy(pipeline)
        if fetched is None:
            fetched = _fetched(project, newest(project.registry, pipeline.name, policy.promote))
        report = run_mutation_test(
            pipeline, fetched.reference, model=fetched.model, policy=policy, kinds=kinds or KINDS, server=server,
            minimum=policy.mutation.minimum if minimum is None else minimum,
            on_progress=MutationProgress(Console(stderr=True, quiet=quiet)), **settings,
        )  # fmt: skip
    out = Console()
    if killers is not None:
        _write_killers(report, killers)
    if json is not None:
        atomic_write(json, report.to_json().encode())
    show(report, out, brief=quiet)
    return report.exit_code


def _fetched(project: Project, uri: str | None) -> Fetched:
    if uri is None:
        raise UsageError(
            "[tool.seatrial] python is 'model', so the version decides the environment that its pipeline is read in. "
            "Name the version: seatrial mutate models:/NAME/NUMBER"
        )
    version = registry.resolve(uri)
    return registry.fetch(version, project.state / "versions" / slug(f"{version.name}-{version.number}"))


def newest(scheme: str, name: str, alias: str | None) -> str:
    """Return the URI of the champion of a model, or of its newest version.

    Raises:
        RegistryError: the model has no version.
    """
    if alias and (best := registry.with_alias(scheme, name, alias)):
        return best.uri
    versions = registry.named(scheme).changed_since(model=name)
    if not versions:
        raise RegistryError(f"Model '{name}' has no version yet. Train and register one, with its reference.")
    return max(versions, key=lambda version: int(version.number)).uri


def _write_killers(report: MutationReport, to: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = sorted({m.rows[0] for m in report.survivors if m.rows})
    if not rows or report.requests is None:
        return
    requests = report.requests.iloc[rows].reset_index(drop=True)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(requests, preserve_index=False), sink)
    atomic_write(to, sink.getvalue().to_pybytes())
