"""Start the worker of a project's next trial before anything else, so that it imports while the caller does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from seatrial.isolation.environment import hidden_variable
from seatrial.isolation.launch import Launch, launch_of
from seatrial.isolation.process import Process
from seatrial.isolation.rpc import RpcClient
from seatrial.project import MODEL_PYTHON, Project


@dataclass(frozen=True)
class Opening:
    """A worker that reads its pipeline.

    Attributes:
        rpc: the requests to it.
        request: the id of the request ``open``.
    """

    rpc: RpcClient
    request: int


_prestarted: dict[Path, Future[Opening | None]] = {}


@contextlib.contextmanager
def prestarted(project: Project, unless: Callable[[], bool] | None = None) -> Iterator[Callable[[], None]]:
    """Start the worker of a project, and end it with the block unless a trial took it.

    The block gets a function that raises what the worker said of the pipeline's file, if it could not be loaded.

    Args:
        project: the project.
        unless: says, as soon as it knows, that no worker will be needed; it is asked in a thread.

    Raises:
        UsageError, IsolationError: it cannot be started as the project says.
    """
    if project.python == MODEL_PYTHON:  # known with the version's files alone
        yield lambda: None
        return
    launch, begun = launch_of(project), Future[Opening | None]()
    _prestarted[project.root] = begun

    def start() -> None:
        try:
            needed = unless is None or not unless()
            begun.set_result(opening(launch, (project.pipeline_file, project.pipeline_name)) if needed else None)
        except BaseException as error:  # noqa: BLE001  whoever takes it gets it
            begun.set_exception(error)

    def check() -> None:
        waiting = begun.result() if begun.done() and project.root in _prestarted else None
        if waiting is not None and (error := waiting.rpc.failed(waiting.request)) is not None:
            raise type(error)(f"{error}{hidden_variable(str(error))}")

    if unless is None:
        start()
    else:
        Thread(target=start, name="seatrial worker's start", daemon=True).start()
    try:
        yield check
    finally:
        if project.root in _prestarted and (left := _prestarted.pop(project.root).result()) is not None:
            left.rpc.close(0.0)


def opening(
    launch: Launch, source: tuple[Path, str], *, root: Path | None = None, hash_seed: int | None = None
) -> Opening:
    """Start a worker that reads its pipeline, or take the one that was started before for the project at ``root``."""
    begun = None if root is None else _prestarted.pop(root, None)
    if begun is not None and (taken := begun.result()) is not None:
        return taken
    rpc = RpcClient(Process(launch, hash_seed))
    limits = {name: launch.limits[name] for name in ("file_bytes", "memory_bytes") if name in launch.limits}
    return Opening(rpc, rpc.begin("open", file=str(source[0]), name=source[1], limits=limits))
