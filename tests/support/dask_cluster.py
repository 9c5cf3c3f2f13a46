"""A Dask cluster of two worker processes on 127.0.0.1, without a dashboard."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from distributed import LocalCluster

QUIET: dict[str, Any] = {
    "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False},
    "worker_dashboard_address": None,
}  # fmt: skip


@contextlib.contextmanager
def two_workers() -> Iterator[str]:
    """The address of the scheduler of a cluster that ends with the block."""
    with LocalCluster(n_workers=2, threads_per_worker=1, **QUIET) as cluster:
        yield cluster.scheduler_address
