"""Replayers whose workers are forked from one worker, which loaded pipeline and model once and runs no stage itself."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from seatrial.errors import IsolationError, SeatrialError
from seatrial.isolation import messages
from seatrial.isolation.description import described
from seatrial.isolation.process import SEND_SECONDS, Process, predicate
from seatrial.isolation.replayer import RemoteReplayer
from seatrial.pipeline import Model, Pipeline
from seatrial.reference.snapshot import Reference
from seatrial.worker.mutants import FILES, socket_of
from seatrial.worker.reachability import Definition, Reached, Unmutated

FORK_SECONDS = 60.0  # for a child to be forked and to connect, on a machine that has much to do
END_SECONDS = 5.0  # for a child to end by itself once its connection is closed
Ending = Literal["", "died", "timed out", "lost"]


class Fork(Process):
    """A child that a worker forked. After :meth:`end` nothing of it is left.

    Args:
        parent: the replayer of the worker.
        number: of the child, from 1.

    Raises:
        IsolationError: the worker could not fork it.
    """

    def __init__(self, parent: RemoteReplayer, number: int) -> None:
        self._parent, self._number = parent, number
        self.folders = parent.process.folders
        self.log = self.folders.frames / f"m{number}.log"  # what a mutant prints is not kept
        self._ended, self._ending, self._predicate = threading.Event(), threading.Lock(), ""
        # The judge listens: it never connects to a path that the worker could have replaced.
        path = socket_of(self.folders.frames, number)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            try:
                listening.bind(str(path))
                listening.listen(1)
                listening.settimeout(FORK_SECONDS)
                parent.request("fork", messages.ForkedReply, FORK_SECONDS, "a fork", number=number)
                self.socket = listening.accept()[0]
            except OSError as error:
                raise IsolationError(f"A process could not be forked, with a socket at {path}: {error}.") from error
            finally:
                path.unlink(missing_ok=True)
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))

    def wait(self, within_seconds: float | None = None) -> bool:
        """Wait for its end, and return whether it ended. A limited wait is for one whose connection is closed."""
        if within_seconds is not None:
            self._collect(min(within_seconds, END_SECONDS))
        return self._ended.wait(within_seconds)

    @property
    def ending(self) -> str:
        """How it ended, as the predicate of "The process that runs the model"."""
        return self._predicate

    def end(self) -> None:
        """End it and all it started. A second call does nothing."""
        self._collect(0.0)

    def _collect(self, patience: float) -> None:
        with self._ending:
            if self._ended.is_set():
                return
            try:
                ended = self._parent.request(
                    "end", messages.EndedReply, patience + FORK_SECONDS, "the end of a fork", number=self._number,
                    patience=patience,
                )  # fmt: skip
                self._predicate = predicate("code", [str(ended.code)])
            except SeatrialError:
                self._predicate = self._parent.process.ending  # the child ended with its parent
            self._ended.set()


class ForkedReplayer(RemoteReplayer):
    """A replayer whose worker was forked; see :meth:`ForkServer.fork`.

    Args:
        parent: of the worker that forks it.
        number: of the child.
        source: the file of the pipeline, and its name in it.
        seconds: that it may take for all requests together.
        root: the folder of the project.

    Attributes:
        parent: as given.
    """

    def __init__(
        self, parent: RemoteReplayer, number: int, source: tuple[Path, str], *, seconds: float, root: Path
    ) -> None:
        self._left, self._root = seconds, root
        self.parent = parent
        super().__init__(parent.launch, source, process=Fork(parent, number), pipeline=parent.pipeline())
        self._files = itertools.count(number * FILES)
        self._models: tuple[Model, ...] = tuple(parent.models)

    def patch(self, file: Path, text: str) -> None:
        """Load the pipeline again as if ``file`` held ``text``.

        Raises:
            IsolationError: it does not load, and why; or the process ended.
        """
        opened = self.request(
            "patch", messages.Opened, FORK_SECONDS, "loading the pipeline", file=str(file), text=text,
            root=str(self._root),
        )  # fmt: skip
        self._pipeline = described(opened, self.source)

    @property
    def ended(self) -> Ending:
        """Why it cannot run any more, or empty: it ``died``, took too long, or the worker that forked it ended."""
        if self.broken is None:
            return ""
        if self.parent.broken is not None:
            return "lost"
        return "timed out" if self._rpc.timed_out else "died"

    def request(self, request: str, kind: type[Any], seconds: float, what: str, **fields: Any) -> Any:
        """See :meth:`RemoteReplayer.request`; the reply may take no longer than what is left for all requests."""
        number = self._rpc.begin(request, **fields)
        # What this process does in between is not its time: on a busy machine that may be most.
        begin = time.monotonic()
        try:
            return self._rpc.reply(number, kind, max(min(seconds, self._left), 0.0), what)
        finally:
            self._left -= time.monotonic() - begin

    def __exit__(self, *_: object) -> None:
        self.close(0.0)


class ForkServer:
    """Starts a worker and forks replayers from it. Several threads may fork.

    Args:
        start: starts the worker; called again where it ended over one of its children.
        source: the file of the pipeline, and its name in it.
        root: the folder of the project: what lies outside is not its code.
    """

    def __init__(self, start: Callable[[], RemoteReplayer], source: tuple[Path, str], *, root: Path) -> None:
        self.root = root.resolve()
        self._start, self._source = start, source
        self._lock, self._numbers = threading.RLock(), itertools.count(1)
        self._given: tuple[Reference, Mapping[Model, Path]] | None = None
        self._parent: RemoteReplayer | None = start()

    def pipeline(self) -> Pipeline:
        """Return the pipeline as the worker describes it; see :meth:`RemoteReplayer.pipeline`."""
        return self._running().pipeline()

    def load(self, reference: Reference, models: Mapping[Model, Path]) -> None:
        """Load the models and the record; see :meth:`RemoteReplayer.load`."""
        parent = self._running()
        parent.pipeline()
        parent.load(reference, models)
        self._given = (reference, models)

    def reached(self, seconds: float = FORK_SECONDS) -> Reached:
        """Return the definitions in files of the project that the stages reach, and what they reach besides.

        Raises:
            IsolationError: the worker ended, took longer, or names files outside the project.
        """
        parent = self._running()
        stages = parent.pipeline().stages
        reply = parent.request(
            "definitions", messages.DefinedReply, seconds, "what stages reach", root=str(self.root)
        )  # fmt: skip
        found = []
        for record in reply.definitions:
            file = Path(record.file).resolve()
            if not (file.is_relative_to(self.root) and file.suffix == ".py" and set(record.stages) <= set(stages)):
                raise IsolationError("The process that runs the model named code that is not of the project.")
            lines = record.first_line, record.last_line
            columns = (record.columns[0], record.columns[1]) if record.columns else None
            found.append(Definition(file, record.name, *lines, tuple(record.stages), columns))
        unmutated = [Unmutated(u.what, u.reason, tuple(u.stages)) for u in reply.unmutated]
        return Reached(found, [u for u in unmutated if set(u.stages) <= set(stages)])

    def fork(self, seconds: float) -> ForkedReplayer:
        """Return a replayer in a process of its own, which may run stages for so long; use it in a ``with`` block.

        Raises:
            IsolationError: the worker ended, or could not fork.
        """
        with self._lock:
            parent = self._running()
            return ForkedReplayer(parent, next(self._numbers), self._source, seconds=seconds, root=self.root)

    def close(self) -> None:
        """End the worker and all that it forked."""
        with self._lock:
            if self._parent is not None:
                self._parent.close(0.0)
                self._parent = None

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _running(self) -> RemoteReplayer:
        """Return the replayer of the worker, of a new one where the last one ended after it had loaded everything."""
        with self._lock:
            if self._parent is not None and self._parent.broken and self._given is not None:
                with contextlib.suppress(SeatrialError):
                    self._parent.close(0.0)
                self._parent = self._start()
                self._parent.pipeline()
                self._parent.load(*self._given)
            if self._parent is None:
                raise IsolationError("The mutation test was closed.")
            return self._parent
