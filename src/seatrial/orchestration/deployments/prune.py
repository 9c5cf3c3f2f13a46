"""Delete what a project no longer needs: old results on this disk, and old flow runs on its Prefect server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from seatrial.orchestration.deployments import names
from seatrial.orchestration.prefect_api import client
from seatrial.project import Project
from seatrial.sinks.retention import Pruned, prune_files

AT_ONCE = 200  # flow runs that are deleted in one go; the rest is found by the next one


def prune(project: Project, *, dry: bool = False) -> Pruned:
    """Delete old results, downloads and leftovers of the project on this disk.

    Args:
        project: says how long they are kept.
        dry: delete nothing, and say what would be.
    """
    kept = project.retention
    total = kept.total_mb * 2**20
    return prune_files(project.state, validations=kept.validations, days=kept.days, total_bytes=total, dry=dry)


def prune_runs(project: Project, *, dry: bool = False) -> int:
    """Delete flow runs of the project that ended long ago from the Prefect server, and return how many.

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
        for run in () if dry else runs:
            prefect.delete_flow_run(run.id)
    return len(runs)
