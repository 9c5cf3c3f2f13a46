"""A worker's process: started behind a guard, held to its limits, and ended with the trial.

``guard.py`` measures what it takes, and ends it when this process ends, however that happens. What it prints is kept
in a file, up to a limit.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from seatrial.isolation.environment import MARK, cleaned, engine_variables, numeric, search_path
from seatrial.isolation.launch import PACKAGE, Folders, Launch
from seatrial.process import guard
from seatrial.process.sandbox import Sandbox
from seatrial.project import MEBIBYTE

GUARD = Path(guard.__file__)
NOT_INSIDE = ("PATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME")  # of a container
LOGS = 20  # of the last workers and of their services, each
LOG_BYTES = 16 * MEBIBYTE
END_SECONDS = 15.0  # for the guard to end everything
SEND_SECONDS = 30  # for the process to take what is sent to it
NICE = 5  # of a process beside the trial's own worker, which everything waits for
GRACE_SECONDS = 5.0  # for a command such as a container's engine to end what it started
START = "import sys; sys.path[:] = filter(None, sys.path); from seatrial.worker.main import main; main(sys.argv[1])"


class Process:
    """A started worker. After :meth:`end` nothing of it is left.

    Args:
        launch: how it is started.
        hash_seed: its ``PYTHONHASHSEED``; that of this process by default.

    Attributes:
        socket: this end of the channel to it.
        log: the file with what it printed.
        folders: its folders.
        sandbox: where it runs, for the services that belong to it.
    """

    def __init__(self, launch: Launch, hash_seed: int | None = None) -> None:
        self.launch = launch
        self._mark = uuid.uuid4().hex
        self.folders = Folders(Path(tempfile.mkdtemp(prefix="seatrial-trial-"))).make()
        (self.folders.site / "seatrial").symlink_to(PACKAGE)
        logs = launch.logs or self.folders.root
        logs.mkdir(parents=True, exist_ok=True)
        _delete_old(logs)
        self.log = logs / f"trial-{self._mark[:12]}.log"
        self.socket, remote = socket.socketpair()
        # A process that takes nothing must not hold this one.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
        self.sandbox = Sandbox(
            variables=self._variables(),
            python=launch.python,
            wrap=self._wrapped,
            limits={name: launch.limits[name] for name in ("memory_bytes", "processes") if name in launch.limits},
            logs=launch.logs,
            engines=launch.engines,
            outside=engine_variables(os.environ, launch.environment),
        )
        settings = {
            "log": str(self.log), "log_bytes": launch.limits.get("log_bytes", LOG_BYTES),
            "grace_seconds": GRACE_SECONDS if launch.command else 0,
            "nice": 0 if hash_seed is None else NICE, "stdio": remote.fileno(), **self.sandbox.limits,
        }  # fmt: skip
        own = {"PYTHONPATH": search_path(self.folders.site, own=launch.own)}
        own |= {} if hash_seed is None else {"PYTHONHASHSEED": str(hash_seed)}
        cwd = str(launch.folder or os.getcwd())
        worker = self._wrapped([launch.python, "-c", START, str(self.folders.frames)], variables=own, folder=cwd)
        with remote:
            self._guard = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", str(GUARD), json.dumps(settings), *worker],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[remote.fileno()],
                env=self.sandbox.environment() | own,
                start_new_session=True,  # Ctrl-C is for this process; the guard notices its end by the pipe
            )
        self._status, self._ending = "", threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._read_status, name="seatrial worker", daemon=True).start()

    def _wrapped(self, command: Sequence[str], *, variables: Mapping[str, str], folder: str) -> list[str]:
        passed_on = {n: v for n, v in (self.sandbox.variables or {}).items() if n not in NOT_INSIDE}
        return self.launch.argv(command, self.folders, {**passed_on, **variables}, folder)

    def _variables(self) -> Mapping[str, str]:
        own = dict(os.environ)
        if self.launch.numeric is not None:
            replaced = numeric(own)
            own = {name: value for name, value in own.items() if name not in replaced} | dict(self.launch.numeric)
        if self.launch.environment is None:
            return {**own, MARK: self._mark}
        return cleaned(own, self.launch.environment, home=self.folders.home, mark=self._mark)

    def placed(self, model: Path, name: str) -> Path:
        """Return the path under which the process finds a model.

        Where it has a file system of its own, the model's files are linked into a folder that it may read.
        """
        if not self.launch.stages_models:
            return model
        to = self.folders.models / name
        if not to.exists():
            if model.is_dir():
                shutil.copytree(model, to, copy_function=_link)
            else:
                _link(str(model), str(to))
        return to

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
        word, *rest = (self._status or "none").split()
        return predicate(word, rest)

    def end(self) -> None:
        """End it and all it started. A second call does nothing."""
        with self._ending:
            started = self._guard
            assert started.stdin is not None
            assert started.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                started.stdin.close()
            try:
                started.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
            if not self._status.startswith(("code", "stopped", "over")):  # the guard did not finish its work
                _sweep(self._mark)
            if self.wait(END_SECONDS):
                started.stdout.close()
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                if not self.log.stat().st_size:
                    self.log.unlink()
            shutil.rmtree(self.folders.root, ignore_errors=True)


def _link(source: str, to: str) -> None:
    """Link a file, or copy it where the two are on different file systems."""
    try:
        os.link(source, to)
    except OSError:
        shutil.copy2(source, to)


def _delete_old(logs: Path) -> None:
    """Delete all but the newest logs of workers and of their services."""
    with contextlib.suppress(OSError):  # another trial deletes them too
        for kind in ("trial-*.log", "seatrial-service-*"):
            written = sorted(logs.glob(kind), key=lambda log: log.stat().st_mtime)
            for log in written[:-LOGS]:
                shutil.rmtree(log) if log.is_dir() else log.unlink()


def predicate(word: str, rest: list[str]) -> str:
    """Return how a process ended, by the word of its guard and what follows that."""
    if word == "code" and not rest[0].startswith("-"):
        return f"ended by itself, with code {rest[0]}"
    if word == "code":
        return f"was ended by signal {rest[0][1:]} ({_signal_name(-int(rest[0]))})"
    if word == "over" and rest[0] == "memory":
        found, allowed = (int(number) // MEBIBYTE for number in rest[1:])
        return f"was ended: it held {found:,} MiB of memory, and memory_mb allows {allowed:,}"
    if word == "over":
        return f"was ended: it ran {rest[1]} processes at a time, and processes allows {rest[2]}"
    if word == "failed":
        return f"could not be started: {' '.join(rest)}"
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
