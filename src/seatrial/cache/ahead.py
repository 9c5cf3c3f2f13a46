"""The surroundings of a project, read in a thread while the command that needs them imports what is heavy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

from seatrial.cache.inputs import Inputs, surroundings
from seatrial.errors import SeatrialError
from seatrial.isolation.launch import Launch, launch_of
from seatrial.project import MODEL_PYTHON, Project
from seatrial.sinks.retention import CACHE

_read: dict[Path, Future[Inputs]] = {}


def read_ahead(project: Project, without: Sequence[Path] = ()) -> Callable[[], bool]:
    """Begin to read, and return what tells, once that is done, whether anything is kept for these surroundings.

    Args:
        project: the project. One whose environment is known with the version's files alone is read later.
        without: files that the caller writes.

    Raises:
        UsageError, IsolationError: a worker cannot be started as the project says.
    """
    if project.python == MODEL_PYTHON:
        return lambda: False
    launch, found = launch_of(project), Future[Inputs]()
    _read[project.root] = found

    def work() -> None:
        try:
            found.set_result(surroundings(project, launch, without=without))
        except BaseException as error:  # noqa: BLE001  whoever needs them gets it
            found.set_exception(error)

    Thread(target=work, name="seatrial cache", daemon=True).start()

    def known() -> bool:
        try:
            return (project.state / CACHE / found.result().digest).is_dir()
        except (SeatrialError, OSError):  # told where they are needed
            return False

    return known


def taken(project: Project, launch: Launch, without: Sequence[Path] = ()) -> Inputs:
    """Return what was read ahead, once; read it now where nothing was; raises what :func:`surroundings` raises."""
    found = _read.pop(project.root, None)
    return surroundings(project, launch, without=without) if found is None else found.result()
