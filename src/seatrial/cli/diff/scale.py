"""What compares the parts of large tables: this process, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seatrial.errors import ProjectError, UsageError
from seatrial.parity.streaming.runner import InProcess, Runner
from seatrial.process.dask.addresses import CLUSTERS, LOCAL, is_scheduler
from seatrial.project import Project


def check_cluster(name: str) -> None:
    """Raise UsageError unless this can be a Dask cluster."""
    if name != LOCAL and not is_scheduler(name):
        raise UsageError(f"--cluster '{name}' is no Dask cluster: it is {CLUSTERS}.")


@contextmanager
def runner(cluster: str | None) -> Iterator[Runner]:
    """Return what works on parts, until the block ends.

    Args:
        cluster: the address of a Dask scheduler, or ``local``; by default what the project here declares, else this
            process.

    Raises:
        UsageError: the project's settings cannot be used, or Dask is not installed.
        TargetError: the cluster is away.
    """
    setting, workers = "--cluster", None
    if cluster is None:
        setting, (cluster, workers) = "[tool.seatrial.scale] cluster in pyproject.toml", _declared()
    if cluster is None:
        yield InProcess()
        return
    from seatrial.process.dask import runner as dask  # slow to import

    with dask.runner(cluster, workers=workers, setting=setting) as parts:
        yield parts


def _declared() -> tuple[str | None, int | None]:
    try:
        scale = Project.find().scale
    except ProjectError as error:
        if not str(error).startswith("There is no seatrial project"):
            raise
        return None, None
    return scale.cluster, scale.workers
