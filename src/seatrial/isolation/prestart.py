"""Start the processes of a project's next trial before anything else, so that they import while the caller does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Event, Thread

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


_prestarted: dict[tuple[Path, int | None], Future[Opening | None]] = {}


@contextlib.contextmanager
def prestarted(
    project: Project, unless: Callable[[], bool] | None = None, hash_seeds: Sequence[int] = ()
) -> Iterator[Callable[[], None]]:
    """Start the worker of a project and fresh processes beside it; those that no trial took end with the block.

    The block gets a function that raises what the worker said of the pipeline's file, if it could not be loaded.

    Args:
        project: the project.
        unless: says, as soon as it knows, that no worker will be needed; it is asked in a thread.
        hash_seeds: of the fresh processes.

    Raises:
        UsageError, IsolationError: it cannot be started as the project says.
    """
    if project.python == MODEL_PYTHON:  # known with the version's files alone
        yield lambda: None
        return
    launch, source = launch_of(project), (project.pipeline_file, project.pipeline_name)
    begun: dict[int | None, Future[Opening | None]] = {seed: Future() for seed in (None, *hash_seeds)}
    _prestarted.update({(project.root, seed): future for seed, future in begun.items()})

    needed = cache(lambda: unless is None or not unless())
    ended = Event()

    def start() -> None:
        for seed, future in begun.items():
            try:
                wanted = needed() and not ended.is_set()
                future.set_result(opening(launch, source, hash_seed=seed) if wanted else None)
            except BaseException as error:  # noqa: BLE001  whoever takes it gets it
                future.set_exception(error)

    def check() -> None:
        own = begun[None]
        waiting = own.result() if own.done() and (project.root, None) in _prestarted else None
        if waiting is not None and (error := waiting.rpc.failed(waiting.request)) is not None:
            raise type(error)(f"{error}{hidden_variable(str(error))}")

    if unless is None:
        start()
    else:
        Thread(target=start, name="seatrial worker's start", daemon=True).start()
    try:
        yield check
    finally:
        ended.set()
        with contextlib.ExitStack() as all_of_them:
            for left in [_prestarted.pop((project.root, seed), None) for seed in begun]:
                all_of_them.callback(_close, left)


def _close(left: Future[Opening | None] | None) -> None:
    """End a process that no trial took, once it has begun."""
    with contextlib.suppress(Exception):  # it never did
        if left is not None and (process := left.result()) is not None:
            process.rpc.close(0.0)


def opening(
    launch: Launch, source: tuple[Path, str], *, root: Path | None = None, hash_seed: int | None = None
) -> Opening:
    """Start a worker that reads its pipeline, or take the one that was started before for the project at ``root``."""
    begun = None if root is None else _prestarted.pop((root, hash_seed), None)
    if begun is not None and (taken := begun.result()) is not None:
        return taken
    rpc = RpcClient(Process(launch, hash_seed))
    limits = {name: launch.limits[name] for name in ("file_bytes", "memory_bytes") if name in launch.limits}
    return Opening(rpc, rpc.begin("open", file=str(source[0]), name=source[1], limits=limits))
