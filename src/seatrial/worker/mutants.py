"""The requests of a mutation test: the worker that loaded a pipeline forks a child for each mutant, and runs no stage.

A child has the loaded model and record at no cost. The worker must not have run a stage before: threads that it started
(of OpenMP, for example) would be missing in a child, which then waits for them.

- ``definitions``: which code the stages reach; the reply is ``defined``.
- ``fork``: a child is forked that connects to a socket of the judge and serves it as the worker does; its files have
  numbers of their own. The reply is ``forked``. The child ends with its connection.
- ``patch``, in a child: the pipeline is loaded again with the text of one file changed; the reply is ``opened``.
- ``end``: a child is ended, with what it started, and collected; the reply is ``ended``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from seatrial.pipeline import LocalReplayer, Pipeline, describe
from seatrial.worker.channel import LineChannel
from seatrial.worker.patching import load_patched
from seatrial.worker.reachability import reached

FILES = 1_000_000  # at most of one child, by their numbers
MEMORY_BYTES = 4 * 2**30  # of address space that a child may use beyond what it starts with
MOST_TEXT = 300  # characters of what is not mutated: it may be a call of any length
LOOK_SECONDS = 0.005  # between two looks whether a child ended

Answer = Callable[..., dict[str, Any]]


class Serving(Protocol):
    """A worker; ``main.Worker`` is one."""

    channel: LineChannel
    folder: Path
    pipeline: Pipeline
    replayer: LocalReplayer
    source: tuple[Path, str]

    def serve(self) -> None:
        """Reply to requests until the other end is closed."""
        ...


class Mutants:
    """The children of one worker, by name.

    Args:
        worker: it; its pipeline is loaded.
        describe_pipeline: returns what a pipeline declares, as JSON types.
        child: returns a worker for a channel, a folder, and the number of its first file.

    Attributes:
        requests: the requests, by name. Each is served before the next is read: a process that forks has one thread.
    """

    def __init__(
        self,
        worker: Serving,
        describe_pipeline: Callable[[Pipeline], dict[str, Any]],
        child: Callable[[LineChannel, Path, int], Serving],
    ) -> None:
        self._worker, self._describe, self._child = worker, describe_pipeline, child
        self._children: dict[int, tuple[int, str]] = {}
        self.requests: Mapping[str, Answer] = {
            "definitions": self.definitions, "fork": self.fork, "patch": self.patch, "end": self.end,
        }  # fmt: skip

    def definitions(self, root: str) -> dict[str, Any]:
        """List the definitions that the stages reach in files below ``root``, and what else they reach."""
        found = reached(self._worker.pipeline, Path(root))
        return {
            "reply": "defined",
            "definitions": [
                {
                    "file": str(d.file), "name": d.name, "first_line": d.first_line, "last_line": d.last_line,
                    "stages": list(d.stages), "columns": list(d.columns) if d.columns else None,
                }
                for d in found.definitions
            ],
            "unmutated": [
                {"what": u.what[:MOST_TEXT], "reason": u.reason, "stages": list(u.stages)} for u in found.unmutated
            ],
        }  # fmt: skip

    def fork(self, number: int) -> dict[str, Any]:
        """Fork a child that connects to its socket; it works in a folder of its own."""
        scratch = tempfile.mkdtemp(prefix="seatrial-mutant-")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside pyarrow's threads: it allows for it
            child = os.fork()
        if not child:
            self._serve(number, scratch)
        self._children[number] = (child, scratch)
        return {"reply": "forked"}

    def patch(self, file: str, text: str, root: str) -> dict[str, Any]:
        """Load the pipeline again with the text of one file changed."""
        try:
            pipeline = load_patched(self._worker.source, Path(file), text, root=Path(root))
        except (Exception, SystemExit) as error:  # noqa: BLE001  of the changed code
            return {"reply": "failed", "error": "model", "message": describe(error), "details": ""}
        self._worker.pipeline, self._worker.replayer = pipeline, self._worker.replayer.of(pipeline)
        return {"reply": "opened", **self._describe(pipeline)}

    def end(self, number: int, patience: float) -> dict[str, Any]:
        """Wait so long for a child to end by itself, end it and what it started, and tell its exit code."""
        child, scratch = self._children.pop(number)
        until = time.monotonic() + patience
        while not _ended(child) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        for kill in (os.killpg, os.kill):  # it may have no group of its own yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        shutil.rmtree(scratch, ignore_errors=True)
        return {"reply": "ended", "code": code}

    def _serve(self, number: int, scratch: str) -> None:
        """Be the child, and end with its connection."""
        code = 1
        try:
            os.setsid()
            self._worker.channel.close()
            with open(os.devnull, "r+b") as nothing:
                for stream in (0, 1, 2):
                    os.dup2(nothing.fileno(), stream)
            _limit_memory()
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
                end.connect(str(socket_of(self._worker.folder, number)))
                os.chdir(scratch)
                child = self._child(LineChannel(end.fileno(), end.fileno()), self._worker.folder, number * FILES)
                child.pipeline, child.replayer = self._worker.pipeline, self._worker.replayer
                child.source = self._worker.source
                child.serve()
            code = 0
        finally:
            os._exit(code)


def socket_of(folder: Path, number: int) -> Path:
    """Return the path of the socket that a child connects to."""
    return folder / f"m{number}.socket"


def _ended(child: int) -> bool:
    """Return whether a child ended, where the system tells; it is still to be collected."""
    return hasattr(os, "waitid") and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
