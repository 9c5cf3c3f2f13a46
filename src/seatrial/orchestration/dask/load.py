"""Load from a Dask cluster through Prefect's task runner: each share is a task run of the flow that validates."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.workers import cluster as dask
from seatrial.loadgen.workers.shares import Share
from seatrial.orchestration.dask.sending import Sealed, carried, send, task_client


@contextlib.contextmanager
def connected(address: str) -> Iterator[dask.Cluster]:
    """Connect to a Dask cluster: through Prefect's task runner in a flow run whose server its workers reach.

    Elsewhere they are spoken to without Prefect, whose tasks need its server wherever they run.

    Args:
        address: of its scheduler, such as ``tcp://10.0.0.5:8786``.

    Raises:
        UsageError: prefect-dask is not installed.
        TargetError: no scheduler answers there.
    """
    with dask.connected(address) as cluster:
        if not carried(cluster.client):
            yield cluster
            return
    with task_client(address, dask.SETTING) as client:

        def submit(worker: str, share: Share, start: str) -> dask.Sent:
            # The runner's own submit names no worker, and two shares on one would be sent one after the other.
            sent: dask.Sent = send(
                client, "send a share of the load", offer_sealed, {"sealed": Sealed(share), "start": start},
                workers=[worker], allow_other_workers=False,
            )  # fmt: skip
            return sent

        yield dask.Cluster(client, submit)


def offer_sealed(sealed: Sealed, start: str) -> LoadRun:
    """Run as a task of Prefect on a Dask worker; see :func:`seatrial.loadgen.workers.cluster.offer_when_told`."""
    return dask.offer_when_told(sealed.value, start)
