"""One schedule, offered by several workers and merged into one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seatrial.errors import UsageError
from seatrial.formatting import plural
from seatrial.loadgen.client import offer
from seatrial.loadgen.results import LoadRun, merged
from seatrial.loadgen.schedule import Schedule
from seatrial.loadgen.workers.cluster import Connect, connected, offer_on_cluster
from seatrial.loadgen.workers.processes import offer_in_processes
from seatrial.loadgen.workers.shares import divided

MAX_WORKERS = 64
_OVER_SECONDS = 30.0  # beyond the schedule and its last time-out


def offer_by(
    workers: int,
    url: str,
    schedule: Schedule,
    payloads: Sequence[Any] = (b"",),
    *,
    cluster: str | None = None,
    connect: Connect = connected,
    **options: Any,
) -> LoadRun:
    """Offer one schedule by several workers, each of which sends its share, all from the same moment.

    A single generator is bound to one core. The schedule's seed assigns each arrival to a worker.

    Args:
        workers: how many: processes of this machine, or workers of the Dask cluster. One without a cluster is this
            process itself.
        url: of the service.
        schedule: of all of them together.
        payloads: bodies, assigned to requests as by :func:`seatrial.loadgen.client.offer`.
        cluster: the address of a Dask scheduler, such as ``tcp://10.0.0.5:8786``.
        connect: how the cluster is reached.
        options: the other arguments of ``offer``; ``connections`` are of all workers together, and ``keep`` counts in
            the whole schedule. Workers get them in the argument of what they run: they are in no list of processes.

    Raises:
        UsageError: as ``offer``; more workers than requests; or a cluster that cannot reach the service.
        TargetError: nothing listens at ``url``; a worker ended before it was done; there are too few of them, or their
            clocks cannot be told from each other well enough.

    Example:
        >>> run = offer_by(2, "http://127.0.0.1:8000/score", schedule, payloads, timeout_seconds=5.0)
    """
    if workers == 1 and cluster is None:
        return offer(url, schedule, payloads, **options)
    if not 1 <= workers <= min(MAX_WORKERS, len(schedule)):
        raise UsageError(
            f"{plural(workers, 'worker')} cannot share {plural(len(schedule), 'request')}. "
            f"Allowed: 1 to {min(MAX_WORKERS, len(schedule))}."
        )
    shares, places = divided(workers, url, schedule, payloads, **options)
    limit = schedule.seconds + float(options.get("timeout_seconds", 10.0)) + _OVER_SECONDS
    if cluster is None:
        return merged(offer_in_processes(shares, limit), places)
    runs, apart = offer_on_cluster(cluster, shares, limit, connect=connect)
    return merged(runs, places, apart_seconds=apart)
