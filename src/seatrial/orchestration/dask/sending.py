"""Send functions to Dask workers as task runs of the flow run that is running here."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from seatrial.pipeline.address import is_loopback
from seatrial.process.dask.connection import CONNECT_SECONDS, all_here, no_dask


class Sealed:
    """A value as a parameter of a task: Prefect looks into no value of this class."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return repr(self.value)


def carried(client: Any) -> bool:
    """Whether this is a flow run whose server the workers of a cluster reach: tasks need it wherever they run."""
    from prefect.context import FlowRunContext

    return FlowRunContext.get() is not None and server_reached(client)


def server_reached(client: Any) -> bool:
    """Whether workers may reach the Prefect server: one at a loopback address is reached from this machine alone.

    Without an address each process would start a server of its own, which outlives a worker that is killed.
    """
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    return bool(url) and (not is_loopback(urlsplit(url).hostname or "") or all_here(client))


@contextlib.contextmanager
def task_client(address: str, setting: str, security: Any = None) -> Iterator[Any]:
    """Connect Prefect's task runner to a Dask cluster; return its client, which sends tasks.

    Args:
        address: of its scheduler.
        setting: what names the cluster, for messages.
        security: a ``distributed.Security``; by default as Dask's own settings say.

    Raises:
        UsageError: prefect-dask is not installed.
    """
    try:
        from prefect_dask import DaskTaskRunner
    except ImportError as error:
        raise no_dask(setting, error) from error
    with DaskTaskRunner(address=address, client_kwargs={"timeout": CONNECT_SECONDS, "security": security}) as runner:
        yield runner.client


def send(client: Any, name: str, function: Callable[..., Any], parameters: dict[str, Any], **placing: Any) -> Any:
    """Send a function as a task run of the flow run that is running here.

    Not of the task that is running, whose parameters may be no data.

    Args:
        client: of :func:`task_client`.
        name: of the task.
        function: of a module, so that the workers can import it.
        parameters: of the function; those that are :class:`Sealed` are looked into by nobody else.
        placing: on which workers, as ``distributed.Client.submit`` takes it.

    Returns:
        A ``distributed.Future`` of what the function returns or raises.
    """
    from prefect import task
    from prefect.cache_policies import NO_CACHE

    made = task(name=name, cache_policy=NO_CACHE, persist_result=False, log_prints=False)(function)
    return contextvars.Context().run(_sent, client, made, parameters, _contexts(name, function), placing)


def _contexts(name: str, function: Callable[..., Any]) -> list[Any]:
    """Return what a worker is to know of where it was started from: the settings, and the flow run.

    Not the flow, whose file a worker cannot import, nor the running task, whose parameters are no data.
    """
    from prefect import flow
    from prefect.context import FlowRunContext, SettingsContext

    run, settings = FlowRunContext.get(), SettingsContext.get()
    own = [settings.model_copy()] if settings is not None else []
    if run is None:
        return own
    stand_in = flow(name=name, persist_result=False)(function)
    return [*own, run.model_copy(update={"flow": stand_in, "parameters": {}})]


def _sent(client: Any, made: Any, parameters: dict[str, Any], contexts: list[Any], placing: dict[str, Any]) -> Any:
    with contextlib.ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        return client.submit(made, parameters=parameters, retries=0, pure=False, **placing)
