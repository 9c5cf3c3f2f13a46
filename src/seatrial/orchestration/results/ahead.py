"""The surroundings of a project, read in a thread while the command that needs them imports what is heavy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

from seatrial.errors import SeatrialError
from seatrial.isolation.launch import Launch, launch_of
from seatrial.orchestration.results.asked import ASKED
from seatrial.orchestration.results.inputs import Inputs, surroundings
from seatrial.project import MODEL_PYTHON, Project
from seatrial.sinks.retention import CACHE

_read: dict[Path, Future[Inputs]] = {}


@contextlib.contextmanager
def reading_ahead(project: Project, *, wanted: bool = True) -> Iterator[Callable[[], bool] | None]:
    """Begin to read, and forget it with the block unless a validation took it.

    The block gets what waits until all is read, and tells whether earlier runs may have every result; None where
    nothing is read. A worker starts after that: what it reads must be what was read here.

    Args:
        project: the project. One whose environment is known with the version's files alone is read later.
        wanted: earlier results are used or kept, as far as the caller knows.

    Raises:
        UsageError, IsolationError: a worker cannot be started as the project says.
    """
    said = ASKED.get()
    reused = said is not None and said.reused
    if not wanted or project.python == MODEL_PYTHON or (project.cache == "never" and not reused):
        yield None
        return
    launch, found = launch_of(project), Future[Inputs]()
    without = () if said is None else said.written
    _read[project.root] = found

    def work() -> None:
        try:
            found.set_result(surroundings(project, launch, without=without))
        except BaseException as error:  # noqa: BLE001  whoever needs them gets it
            found.set_exception(error)

    def known() -> bool:
        try:
            return (project.state / CACHE / found.result().digest).is_dir() and reused
        except (SeatrialError, OSError):  # told where they are needed
            return False

    reading = Thread(target=work, name="seatrial cache", daemon=True)
    reading.start()
    try:
        yield known
    finally:
        _read.pop(project.root, None)
        reading.join()


def taken(project: Project, launch: Launch, without: Sequence[Path] = ()) -> Inputs:
    """Return what was read ahead, once; read it now where nothing was; raises what :func:`surroundings` raises."""
    found = _read.pop(project.root, None)
    return surroundings(project, launch, without=without) if found is None else found.result()
