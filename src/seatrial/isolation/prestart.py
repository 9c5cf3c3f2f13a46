"""Start the worker of a project's next trial before anything else, so that it imports while the caller does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


_prestarted: dict[Path, Opening] = {}


@contextlib.contextmanager
def prestarted(project: Project) -> Iterator[None]:
    """Start the worker of a project, and end it with the block unless a trial took it.

    Raises:
        UsageError, IsolationError: it cannot be started as the project says.
    """
    if project.python == MODEL_PYTHON:  # known with the version's files alone
        yield
        return
    _prestarted[project.root] = opening(launch_of(project), (project.pipeline_file, project.pipeline_name))
    try:
        yield
    finally:
        if (left := _prestarted.pop(project.root, None)) is not None:
            left.rpc.close(0.0)


def opening(
    launch: Launch, source: tuple[Path, str], *, root: Path | None = None, hash_seed: int | None = None
) -> Opening:
    """Start a worker that reads its pipeline, or take the one that was started before for the project at ``root``."""
    taken = None if root is None else _prestarted.pop(root, None)
    if taken is not None:
        return taken
    rpc = RpcClient(Process(launch, hash_seed))
    limits = {name: launch.limits[name] for name in ("file_bytes", "memory_bytes") if name in launch.limits}
    return Opening(rpc, rpc.begin("open", file=str(source[0]), name=source[1], limits=limits))
