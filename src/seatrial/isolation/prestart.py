"""Start the worker of a project's next trial before anything else, so that it imports while the caller does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from seatrial.isolation.launch import Launch, launch_of
from seatrial.isolation.process import Process
from seatrial.project import MODEL_PYTHON, Project

_prestarted: dict[Path, Process] = {}


@contextlib.contextmanager
def prestarted(project: Project) -> Iterator[None]:
    """Start the process, and end it with the block unless a trial took it.

    Raises:
        UsageError, IsolationError: it cannot be started as the project says.
    """
    if project.python == MODEL_PYTHON:  # known with the version's files alone
        yield
        return
    process = _prestarted[project.root] = Process(launch_of(project))
    try:
        yield
    finally:
        if _prestarted.pop(project.root, None) is not None:
            process.end()


def start(root: Path | None, launch: Launch, hash_seed: int | None = None) -> Process:
    """Start a process, or take the one that was started before for the project at ``root``."""
    taken = None if root is None else _prestarted.pop(root, None)
    return taken or Process(launch, hash_seed)
