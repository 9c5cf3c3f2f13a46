"""The process that loads a model: started by a guard, held to the project's limits, and ended with the trial.

``namespaces.py`` gives it namespaces of its own where the kernel makes them; ``guard.py`` measures what it takes, and
ends it when this process ends, however that happens. What it prints is kept in a file, up to a limit.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from seatrial.isolation.environment import MARK, cleaned
from seatrial.policy.tool import Limits
from seatrial.project import MEBIBYTE, Project

NAMESPACES = Path(__file__).with_name("namespaces.py")
GUARD = Path(__file__).parent.parent / "process" / "guard.py"
LOGS = 20  # of the last trials and of their services, each
END_SECONDS = 15.0  # for the guard to end everything


class Process:
    """A started process. After :meth:`end` nothing of it is left.

    Attributes:
        socket: this end of the channel to it.
        log: the file with what it printed.
    """

    def __init__(self, project: Project) -> None:
        self.limits = project.limits
        self._mark = uuid.uuid4().hex
        self._scratch = Path(tempfile.mkdtemp(prefix="seatrial-trial-"))
        logs = project.state / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        _delete_old(logs)
        self.log = logs / f"trial-{self._mark[:12]}.log"
        self.socket, remote = socket.socketpair()
        settings = {
            "log": str(self.log), "log_bytes": self.limits.log_mb * MEBIBYTE, "grace_seconds": 0,
            "keep": [remote.fileno()], "memory_bytes": self.limits.memory_mb * MEBIBYTE,
            "processes": self.limits.processes,
        }  # fmt: skip
        python = [sys.executable, "-I", "-S"]
        child = [sys.executable, "-P", "-m", "seatrial.isolation.worker", str(remote.fileno())]
        with remote:
            self._guard = subprocess.Popen(  # noqa: S603
                [*python, str(NAMESPACES), *python, str(GUARD), json.dumps(settings), *child],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[remote.fileno()],
                env=cleaned(os.environ, project.environment, scratch=self._scratch, logs=logs, mark=self._mark),
                start_new_session=True,  # Ctrl-C is for this process; the guard notices its end by the pipe
            )
        self._status, self._ending = "", threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._read_status, name="seatrial trial", daemon=True).start()

    def _read_status(self) -> None:
        assert self._guard.stdout is not None
        for line in self._guard.stdout:
            self._status = line.decode("ascii", "replace").strip()
        self._ended.set()

    def wait(self, within_seconds: float | None = None) -> bool:
        """Wait for its end, at most so long or without limit, and return whether it ended."""
        return self._ended.wait(within_seconds)

    @property
    def ending(self) -> str:
        """How it ended, as the predicate of "The process that runs the model"."""
        word, *numbers = self._status.split()
        return _predicate(word, numbers, self.limits)

    def end(self) -> None:
        """End it and all it started. A second call does nothing."""
        with self._ending:
            guard = self._guard
            assert guard.stdin is not None
            assert guard.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                guard.stdin.close()
            try:
                guard.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                guard.kill()
                guard.wait()
            if not self._status.startswith(("code", "stopped", "over")):  # the guard did not finish its work
                _sweep(self._mark)
            if self.wait(END_SECONDS):
                guard.stdout.close()
            shutil.rmtree(self._scratch, ignore_errors=True)
            with contextlib.suppress(OSError):
                if not self.log.stat().st_size:
                    self.log.unlink()


def _delete_old(logs: Path) -> None:
    """Delete all but the newest logs of trials and of their services."""
    with contextlib.suppress(OSError):  # another trial deletes them too
        for kind in ("trial-*.log", "seatrial-service-*"):
            written = sorted(logs.glob(kind), key=lambda log: log.stat().st_mtime)
            for log in written[:-LOGS]:
                shutil.rmtree(log) if log.is_dir() else log.unlink()


def _predicate(word: str, numbers: list[str], limits: Limits) -> str:
    if word == "code" and not numbers[0].startswith("-"):
        return f"ended by itself, with code {numbers[0]}"
    if word == "code":
        return f"was ended by signal {numbers[0][1:]} ({_signal_name(-int(numbers[0]))})"
    if word == "over" and numbers[0] == "memory":
        found = int(numbers[1]) // MEBIBYTE
        return f"was ended: it held {found:,} MiB of memory, and memory_mb allows {limits.memory_mb:,}"
    if word == "over":
        return f"was ended: it ran {numbers[1]} processes at a time, and processes allows {limits.processes}"
    return "was ended" if word == "stopped" else "was ended: the guard it runs under was killed"


def _signal_name(number: int) -> str:
    return next((s.name for s in signal.Signals if s == number), "unknown")


def _sweep(mark: str) -> None:
    """End every process whose environment carries the mark, until there is none."""
    import psutil

    until = time.monotonic() + END_SECONDS
    while (left := [p for p in psutil.process_iter() if _marked(p, mark)]) and time.monotonic() < until:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=1)


def _marked(process: object, mark: str) -> bool:
    import psutil

    assert isinstance(process, psutil.Process)
    with contextlib.suppress(psutil.Error, OSError):
        return bool(process.pid != os.getpid() and process.environ().get(MARK) == mark)
    return False


_prestarted: dict[Path, Process] = {}


@contextlib.contextmanager
def prestarted(project: Project) -> Iterator[None]:
    """Start the process of this project's next trial, so that it imports while the caller does."""
    process = _prestarted[project.root] = Process(project)
    try:
        yield
    finally:
        if _prestarted.pop(project.root, None) is not None:
            process.end()


def start(project: Project) -> Process:
    """Start the process, or take the one that was started before."""
    return _prestarted.pop(project.root, None) or Process(project)
