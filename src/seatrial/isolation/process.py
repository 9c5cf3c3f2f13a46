"""The process that loads a model: started by a guard, held to the project's limits, and gone when it is left.

``apart.py`` gives it a namespace of its own where it can; ``guard.py`` watches what it takes, and ends it when this
process ends, however that happens. What it prints is kept up to a limit, in a file.
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

APART = Path(__file__).with_name("namespaces.py")
GUARD = Path(__file__).parent.parent / "process" / "guard.py"
LOGS_KEPT = 20
END_SECONDS = 15.0  # for the guard to end everything


class Process:
    """A started process. :meth:`end` it; nothing of it is left then.

    Attributes:
        end_of_line: our end of the socket that it was handed.
        log: the file with what it printed.
    """

    def __init__(self, project: Project) -> None:
        self.limits = project.limits
        self._mark = uuid.uuid4().hex
        self._scratch = Path(tempfile.mkdtemp(prefix="seatrial-trial-"))
        logs = project.state / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        _forget_old(logs)
        self.log = logs / f"trial-{self._mark[:12]}.log"
        self.end_of_line, theirs = socket.socketpair()
        settings = {
            "log": str(self.log), "log_bytes": self.limits.log_mb * MEBIBYTE, "grace_seconds": 0,
            "keep": [theirs.fileno()], "memory_bytes": self.limits.memory_mb * MEBIBYTE,
            "processes": self.limits.processes,
        }  # fmt: skip
        python = [sys.executable, "-I", "-S"]
        child = [sys.executable, "-P", "-m", "seatrial.isolation.worker", str(theirs.fileno())]
        with theirs:
            self._guard = subprocess.Popen(  # noqa: S603
                [*python, str(APART), *python, str(GUARD), json.dumps(settings), *child],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=cleaned(os.environ, project.environment, scratch=self._scratch, logs=logs, mark=self._mark),
                start_new_session=True,  # Ctrl-C is for us; the guard hears of our end by its pipe
            )
        self._told, self._ending = "", threading.Lock()
        self._gone = threading.Event()
        threading.Thread(target=self._listen, name="seatrial trial", daemon=True).start()

    def _listen(self) -> None:
        assert self._guard.stdout is not None
        for line in self._guard.stdout:
            self._told = line.decode("ascii", "replace").strip()
        self._gone.set()

    def gone(self, within_seconds: float | None = None) -> bool:
        """Whether it ended; wait for that as long as is said, or without end."""
        return self._gone.wait(within_seconds)

    @property
    def how(self) -> str:
        """How it ended, to follow "The process that runs the model"."""
        word, *numbers = self._told.split()
        return _said(word, numbers, self.limits)

    def end(self) -> None:
        """End it and all it started. Again it does nothing."""
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
            if not self._told.startswith(("code", "stopped", "over")):  # the guard did not finish its work
                _sweep(self._mark)
            if self.gone(END_SECONDS):
                guard.stdout.close()
            shutil.rmtree(self._scratch, ignore_errors=True)
            with contextlib.suppress(OSError):
                if not self.log.stat().st_size:
                    self.log.unlink()


def _forget_old(logs: Path) -> None:
    """Keep what the last trials and their services printed."""
    with contextlib.suppress(OSError):  # another trial does the same
        for kind in ("trial-*.log", "seatrial-service-*"):
            written = sorted(logs.glob(kind), key=lambda log: log.stat().st_mtime)
            for log in written[:-LOGS_KEPT]:
                shutil.rmtree(log) if log.is_dir() else log.unlink()


def _said(word: str, numbers: list[str], limits: Limits) -> str:
    if word == "code" and not numbers[0].startswith("-"):
        return f"ended by itself, with code {numbers[0]}"
    if word == "code":
        return f"was ended by signal {numbers[0][1:]} ({_signal_name(-int(numbers[0]))})"
    if word == "over" and numbers[0] == "memory":
        held = int(numbers[1]) // MEBIBYTE
        return f"was ended: it held {held:,} MiB of memory, and memory_mb allows {limits.memory_mb:,}"
    if word == "over":
        return f"was ended: it ran {numbers[1]} processes at a time, and processes allows {limits.processes}"
    return "was ended" if word == "stopped" else "was ended: the guard it runs under was killed"


def _signal_name(number: int) -> str:
    return next((s.name for s in signal.Signals if s == number), "unknown")


def _sweep(mark: str) -> None:
    """End whatever carries the mark in its environment, until nobody does."""
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


_waiting: dict[Path, Process] = {}


@contextlib.contextmanager
def early(project: Project) -> Iterator[None]:
    """Start the process that the next trial of this project takes, so that it imports while the caller does."""
    process = _waiting[project.root] = Process(project)
    try:
        yield
    finally:
        if _waiting.pop(project.root, None) is not None:
            process.end()


def start(project: Project) -> Process:
    """Start the process, or take the one that was started early."""
    return _waiting.pop(project.root, None) or Process(project)
