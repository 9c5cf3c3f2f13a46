"""Run a command in a process group of its own, and end it and all it started when standard input closes.

Run as a script: ``python -I -S guard.py LOG LIMIT_BYTES GRACE_SECONDS COMMAND…``. Standard input is a pipe that the
caller holds open: however the caller ends, SIGKILL included, the pipe closes and the command goes. What the command
says is kept in LOG up to the limit. Standard output tells ``pid N``, then ``code N``, or ``failed WHY``.
It uses the standard library alone and starts in some 30 ms.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_SUBREAPER, _PARENT_DEATH = 36, 1  # options of Linux's prctl
_LOOK_SECONDS = 0.05


def _prctl() -> Callable[[int, int], object] | None:
    """Return Linux's prctl, found before any fork; elsewhere None."""
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        return lambda option, value: library.prctl(option, value, 0, 0, 0)
    return None


class Log:
    """What the command says, the first ``limit`` bytes of it."""

    def __init__(self, path: str, limit: int) -> None:
        self.file: BinaryIO = Path(path).open("wb", buffering=0)  # noqa: SIM115  open as long as this process
        self.left = limit

    def add(self, said: bytes) -> None:
        """Write it, or drop it where the limit is reached."""
        if self.left > 0:
            self.file.write(said[: self.left])
            self.left -= len(said)
            if self.left <= 0:
                self.file.write(b"\n(the log ends here: its limit is reached)\n")


def tell(word: str) -> None:
    """Tell the caller, if it still listens."""
    with contextlib.suppress(OSError):
        os.write(1, f"{word}\n".encode())


def watch(child: subprocess.Popen[bytes], log: Log, stop: Callable[[], bool], until: float = float("inf")) -> bool:
    """Keep the log until the child ends (True), or until it is to be stopped or the time is over (False)."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as ready:
        ready.register(child.stdout, selectors.EVENT_READ)
        if until == float("inf"):
            ready.register(0, selectors.EVENT_READ)
        while child.poll() is None:
            if stop() or time.monotonic() > until:
                return False
            for key, _ in ready.select(_LOOK_SECONDS):
                said = os.read(key.fd, 65536)
                if key.fd == 0:
                    if not said:
                        return False
                elif said:
                    log.add(said)
                else:
                    ready.unregister(child.stdout)
    return True


def drain(child: subprocess.Popen[bytes], log: Log) -> None:
    """Keep what was said last; a grandchild that holds the pipe is not waited for."""
    assert child.stdout is not None
    os.set_blocking(child.stdout.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        while said := child.stdout.read(65536):
            log.add(said)


def end(child: subprocess.Popen[bytes], log: Log, grace: float) -> None:
    """Ask the group to end, wait for the grace, then end it; then whatever left the group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)
    watch(child, log, lambda: False, time.monotonic() + grace)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for _ in range(50):  # each round may bring the children of those just ended
        orphans = _children()
        if not orphans:
            return
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> list[int]:
    """Return this process's children; orphans come to it. Without /proc nothing is known of them."""
    found = []
    with contextlib.suppress(OSError):
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                after = stat.read_text(errors="replace").rpartition(")")[2].split()
                if int(after[1]) == os.getpid():
                    found.append(int(stat.parent.name))
    return found


def main(path: str, limit: str, grace: str, *command: str) -> int:
    """Run the command until it ends or the caller does."""
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: stopped.append(n))
    prctl = _prctl()
    if prctl:
        prctl(_SUBREAPER, 1)
    log = Log(path, int(limit))
    try:
        child = subprocess.Popen(  # noqa: S603  to run a command is what it is for
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=(lambda: prctl(_PARENT_DEATH, signal.SIGKILL)) if prctl else None,  # noqa: PLW1509  one thread
        )
    except OSError as error:
        tell(f"failed {error.strerror}: {command[0]}")
        return 1
    tell(f"pid {child.pid}")
    by_itself = watch(child, log, lambda: bool(stopped))
    end(child, log, float(grace))
    drain(child, log)
    tell(f"{'code' if by_itself else 'stopped'} {child.returncode}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
