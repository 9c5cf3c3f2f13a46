"""What ``seatrial mutate`` does: fetch a version with its reference, run the mutation test, print its result."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from seatrial import registry
from seatrial.engine import loaded
from seatrial.errors import RegistryError, UsageError
from seatrial.io.files import atomic_write
from seatrial.mutation.candidates import Candidates
from seatrial.mutation.report import MutationProgress, show
from seatrial.mutation.results import MutationReport
from seatrial.mutation.run import KINDS, run_mutation_test
from seatrial.project import Project
from seatrial.sinks.files import slug


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
    pipeline = project.pipeline()
    policy = project.policy(pipeline)
    version = registry.resolve(model_uri or newest(project.registry, pipeline.name, policy.promote))
    fetched = registry.fetch(version, project.state / "versions" / slug(f"{version.name}-{version.number}"))
    out = Console()
    with tempfile.TemporaryDirectory(prefix="seatrial-mutation-") as scratch:
        report = run_mutation_test(
            pipeline, fetched.reference, model=loaded(pipeline, fetched.model), policy=policy, kinds=kinds or KINDS,
            minimum=policy.mutation.minimum if minimum is None else minimum, directory=Path(scratch),
            on_progress=MutationProgress(Console(stderr=True, quiet=quiet)), **(settings or {}),
        )  # fmt: skip
        if killers is not None:
            _write_killers(report, Path(scratch), killers)
    if json is not None:
        atomic_write(json, report.to_json().encode())
    show(report, out, brief=quiet)
    return report.exit_code


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


def _write_killers(report: MutationReport, root: Path, to: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = sorted({m.rows[0] for m in report.survivors if m.rows})
    if not rows:
        return
    requests = Candidates.load(root).reference.requests.iloc[rows].reset_index(drop=True)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(requests, preserve_index=False), sink)
    atomic_write(to, sink.getvalue().to_pybytes())
