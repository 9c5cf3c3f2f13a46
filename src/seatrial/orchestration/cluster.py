"""Load from a Dask cluster through Prefect's task runner: each share is a task run of the flow that validates."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.workers import cluster as dask
from seatrial.loadgen.workers.peers import all_here
from seatrial.loadgen.workers.shares import Share
from seatrial.pipeline.address import is_loopback


class Sealed:
    """A share as a parameter of a task: Prefect looks into no value of this class, and its text shows nothing."""

    def __init__(self, share: Share) -> None:
        self.share = share

    def __repr__(self) -> str:
        return repr(self.share)


@dataclass(frozen=True)
class _Sent:
    """A share on its way as a task run."""

    future: Any

    def done(self) -> bool:
        return bool(self.future.wrapped_future.done())

    def result(self, timeout: float) -> LoadRun:
        run: LoadRun = self.future.result(timeout=timeout)
        return run


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
    from prefect.context import FlowRunContext

    with dask.connected(address) as cluster:
        if FlowRunContext.get() is None or not server_reached(cluster.client):
            yield cluster
            return
    try:
        from prefect_dask import DaskTaskRunner
        from prefect_dask.task_runners import PrefectDaskFuture
    except ImportError as error:
        raise dask.no_dask(error) from error
    with DaskTaskRunner(address=address, client_kwargs={"timeout": dask.CONNECT_SECONDS}) as runner:

        def submit(worker: str, share: Share, start: str) -> dask.Sent:
            # The runner's own submit names no worker, and two shares on one would be sent one after the other.
            future = contextvars.Context().run(
                _submitted, runner.client, worker, {"sealed": Sealed(share), "start": start}, _contexts()
            )
            return _Sent(PrefectDaskFuture(wrapped_future=future, task_run_id=future.task_run_id))

        yield dask.Cluster(runner.client, submit)


def server_reached(client: Any) -> bool:
    """Whether workers may reach the Prefect server: one at a loopback address is reached from this machine alone."""
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    return bool(url and not is_loopback(urlsplit(url).hostname or "")) or all_here(client)


def _contexts() -> list[Any]:
    """Return what a worker is to know of where it was started from: the settings, and the flow run.

    Not the flow, whose file a worker cannot import, nor the running task, whose parameters are no data.
    """
    from prefect.context import FlowRunContext, SettingsContext

    run, settings = FlowRunContext.get(), SettingsContext.get()
    own = [settings.model_copy()] if settings is not None else []
    if run is None:
        return own
    return [*own, run.model_copy(update={"flow": _flow(), "parameters": {}})]


def _submitted(client: Any, worker: str, parameters: dict[str, Any], contexts: list[Any]) -> Any:
    with contextlib.ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        return client.submit(
            _task(), parameters=parameters, workers=[worker], allow_other_workers=False, retries=0, pure=False,
            return_type="state",
        )  # fmt: skip


def _flow() -> Any:
    from prefect import flow

    return flow(name="load", persist_result=False)(offer_sealed)


def _task() -> Any:
    from prefect import task
    from prefect.cache_policies import NO_CACHE

    made = task(name="send a share of the load", cache_policy=NO_CACHE, persist_result=False, log_prints=False)
    return made(offer_sealed)


def offer_sealed(sealed: Sealed, start: str) -> LoadRun:
    """Run as a task of Prefect on a Dask worker; see :func:`seatrial.loadgen.workers.cluster.offer_when_told`."""
    return dask.offer_when_told(sealed.share, start)
