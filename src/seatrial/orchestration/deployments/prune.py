"""Delete what a project no longer needs: old results on this disk, and old flow runs on its Prefect server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from seatrial.events import Outcome, Subject
from seatrial.ledger import Ledger
from seatrial.orchestration.deployments import names
from seatrial.orchestration.prefect_api import client
from seatrial.project import Project
from seatrial.sinks.files import FILES, directory_for
from seatrial.sinks.retention import DAY, Pruned, Retention, changed, latest_results, prune_files

AT_ONCE = 200  # flow runs that are deleted in one go; the rest is found by the next one
PAGE = 200  # artifacts that Prefect lists at once


def prune(project: Project, *, dry: bool = False, now: float | None = None) -> Pruned:
    """Delete old results, downloads and leftovers of the project on this disk.

    Args:
        project: says how long they are kept.
        dry: delete nothing, and say what would be.
        now: seconds since 1970; by this machine's clock by default.

    Raises:
        LedgerError: the ledger, which knows the versions in use, cannot be used. Nothing was deleted.
    """
    kept = project.retention
    with Ledger.of(project.state) as ledger:
        used = [folder for subject in _in_use(ledger) for folder in _evidence(project.state, subject)]
    return prune_files(
        project.state,
        Retention(kept.validations, kept.days * DAY, kept.total_mb * 2**20),
        environment_bytes=kept.environments_mb * 2**20,
        cache_bytes=kept.cache_mb * 2**20,
        used=used,
        now=now,
        dry=dry,
    )


def _in_use(ledger: Ledger) -> list[Subject]:
    """Return the newest version of each model, the newest that passed, and the one that was promoted last."""
    promoted = [standing.subject for standing in ledger.standings() if standing.promoted]
    found = {each.version.subject: (each.version.name, each.version.number) for each in ledger.in_use()}
    found |= {each.subject: (each.name, each.number) for each in ledger.histories(promoted)}
    return [Subject(name, number) for name, number in found.values()]


def _evidence(state: Path, subject: Subject) -> Iterator[Path]:
    """Yield the folders that say why a version has its verdict: the latest of each kind, and the latest that passed."""
    for kind in ("", "stress"):
        parent = directory_for(state, subject, kind)
        if latest := latest_results(parent):
            yield latest
        if not kind and (passing := _latest_pass(parent)):
            yield passing


def _latest_pass(parent: Path) -> Path | None:
    for folder in sorted(parent.glob("[0-9]*"), key=changed, reverse=True):
        try:
            verdict = json.loads((folder / FILES["json"]).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # a validation that was killed before its verdict
            continue
        if isinstance(verdict, dict) and verdict.get("outcome") == Outcome.PASS.value:
            return folder
    return None


def prune_runs(project: Project, *, dry: bool = False) -> int:
    """Delete flow runs of the project that ended long ago from the Prefect server, and return how many.

    Their artifacts go too: Prefect itself leaves them.

    Args:
        project: says how long they are kept.
        dry: delete nothing, and say how many would be.

    Raises:
        TargetError: the server does not answer.
    """
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterEndTime, FlowRunFilterTags

    before: Any = datetime.now(UTC) - timedelta(days=project.retention.run_days)
    old = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[names.tag(project)]), end_time=FlowRunFilterEndTime(before_=before)
    )
    with client("delete old flow runs") as prefect:
        runs = prefect.read_flow_runs(flow_run_filter=old, limit=AT_ONCE)
        if not dry:
            _delete_artifacts(prefect, [run.id for run in runs])
        for run in () if dry else runs:
            prefect.delete_flow_run(run.id)
    return len(runs)


def _delete_artifacts(prefect: Any, runs: Sequence[Any]) -> None:
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    of_runs = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=list(runs)))
    while runs and (found := prefect.read_artifacts(artifact_filter=of_runs, limit=PAGE)):
        for artifact in found:
            prefect.delete_artifact(artifact.id)
