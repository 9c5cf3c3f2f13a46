"""Run a command in a session of its own, hold it to limits, and end it and all it started when its caller goes.

Run as a script: ``python -I -S guard.py SETTINGS COMMAND…``. Standard input is a pipe that the caller holds open:
however the caller ends, SIGKILL included, the pipe closes and the command goes. SETTINGS is a JSON object:

- ``log``, ``log_bytes``: where the first bytes of the command's output are kept;
- ``grace_seconds``: between asking the command to end and ending it;
- ``nice``: by how much it gives way to other processes;
- ``stdio``: a descriptor that is the command's standard input and output; its errors alone are its output then;
- ``memory_bytes``, ``processes``: what it and all it started may take together;
- ``stop``, ``stop_seconds``: a command that is run when it has ended, and ends what is left elsewhere, such as a
  container that a daemon runs; and the time it has.

Whatever leaves the session is found by its parents: orphans come to this process.
Standard output carries ``pid N``, then ``code N``, ``stopped N`` or ``over WHAT FOUND ALLOWED``; or ``failed WHY``.
It uses the standard library alone and starts in some 30 ms.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

_SUBREAPER, _PARENT_DEATH = 36, 1  # options of Linux's prctl
_LOOK_SECONDS = 0.05
_LOOK_SHARE = 0.1  # of one core, at most, for looking at the limits
_WHOLE_LOOK = 20  # one look in so many is at all processes of the machine, so that nobody hides by being born often
_ALL_GONE_SECONDS = 10.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LISTS_CHILDREN = Path(f"/proc/self/task/{os.getpid()}/children").exists()
_LIBC = ctypes.CDLL(None) if sys.platform.startswith("linux") else None


class Log:
    """The command's output, which comes from the descriptor ``source``: the first ``limit`` bytes of it."""

    def __init__(self, path: str, limit: int, source: int) -> None:
        self.source = source
        self.file: BinaryIO = Path(path).open("wb", buffering=0)  # noqa: SIM115  open as long as this process
        self.left = limit

    def add(self, said: bytes) -> None:
        """Write it, or drop it where the limit is reached."""
        if self.left > 0:
            self.file.write(said[: self.left])
            self.left -= len(said)
            if self.left <= 0:
                self.file.write(b"\n(the log ends here: its limit is reached)\n")


class ResourceLimits:
    """Look now and then at what the command and all it started take."""

    def __init__(self, memory_bytes: int | None, processes: int | None) -> None:
        self.memory_bytes, self.processes = memory_bytes, processes
        self.next_look = 0.0
        self.looks = 0

    def broken(self, child: int) -> str:
        """Return ``over WHAT FOUND ALLOWED`` where a limit is broken, or the empty string."""
        begin = time.monotonic()
        if begin < self.next_look or not (self.memory_bytes or self.processes):
            return ""
        tree = family() if _LISTS_CHILDREN and self.looks % _WHOLE_LOOK else descendants()
        self.looks += 1
        _reap(but=child)
        self.next_look = time.monotonic() + (time.monotonic() - begin) / _LOOK_SHARE
        if self.processes and len(tree) > self.processes:
            return f"over processes {len(tree)} {self.processes}"
        if self.memory_bytes and (held := sum(tree.values())) > self.memory_bytes:
            return f"over memory {held} {self.memory_bytes}"
        return ""


def family() -> dict[int, int]:
    """Return what :func:`descendants` does in a thirtieth of the time; what begins or ends meanwhile may be missing."""
    found, waiting = dict[int, int](), [os.getpid()]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError, ValueError, IndexError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                for child in map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split()):
                    found[child] = _stat(child)[1]
                    waiting.append(child)
    return found


def _stat(pid: int) -> tuple[int, int]:
    """Return a process's parent and its bytes; its name, in brackets, may hold anything, and numbers follow it."""
    after = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(after[1]), int(after[21]) * _PAGE


def descendants() -> dict[int, int]:
    """Return this process's descendants, each with the bytes of memory it holds. Without /proc nothing is known."""
    parents, held = {}, {}
    with contextlib.suppress(OSError):
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, ValueError, IndexError):
                parents[int(name)], held[int(name)] = _stat(int(name))
    found, newest = set[int](), {os.getpid()}
    while newest := {pid for pid, parent in parents.items() if parent in newest and pid not in found}:
        found |= newest
    return {pid: held[pid] for pid in found}


def report(word: str) -> None:
    """Tell the caller, if it still listens."""
    with contextlib.suppress(OSError):
        os.write(1, f"{word}\n".encode())


def watch(child: subprocess.Popen[bytes], log: Log, stop: Callable[[], str], until: float = float("inf")) -> str:
    """Keep the log until the child ends (``code``), ``stop`` gives another word or the time is over (``stopped``)."""
    with selectors.DefaultSelector() as ready:
        ready.register(log.source, selectors.EVENT_READ)
        if until == float("inf"):
            ready.register(0, selectors.EVENT_READ)
        while child.poll() is None:
            if word := stop() or ("stopped" if time.monotonic() > until else ""):
                return word
            for key, _ in ready.select(_LOOK_SECONDS):
                said = os.read(key.fd, 65536)
                if key.fd == 0:
                    if not said:
                        return "stopped"
                elif said:
                    log.add(said)
                else:
                    ready.unregister(log.source)
    return "code"


def drain(log: Log) -> None:
    """Keep the last output; a grandchild that holds the pipe is not waited for."""
    os.set_blocking(log.source, False)
    with contextlib.suppress(BlockingIOError):
        while log.left > 0 and (said := os.read(log.source, 65536)):
            log.add(said)


def end(child: subprocess.Popen[bytes], log: Log, grace: float) -> None:
    """Ask the group to end, wait for the grace, then end it; then whatever left the group."""
    if grace > 0:
        _signal(os.killpg, child.pid, signal.SIGTERM)
        watch(child, log, lambda: "", time.monotonic() + grace)
    _signal(os.killpg, child.pid, signal.SIGKILL)
    end_descendants(child)


def end_descendants(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever is below this process."""
    until = time.monotonic() + _ALL_GONE_SECONDS
    while (left := descendants()) and time.monotonic() < until:  # who was born while we looked is seen the next time
        for pid in left:
            _signal(os.kill, pid, signal.SIGKILL)
        _reap(but=child.pid)
        child.poll()
    child.wait()


def run_stop(command: list[str], seconds: float, log: Log) -> None:
    """Run the command that ends what is left elsewhere; what it writes is part of the log."""
    log.add(f"(stop: {' '.join(command)})\n".encode())
    try:
        stop = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=log.file, stderr=log.file, start_new_session=True
        )
    except OSError as error:
        log.add(f"(stop: {error.strerror}: {command[0]})\n".encode())
        return
    try:
        log.add(f"(stop ended with code {stop.wait(seconds)})\n".encode())
    except subprocess.TimeoutExpired:
        log.add(f"(stop did not end within {seconds:g} s)\n".encode())
    end_descendants(stop)


def _signal(send: Callable[[int, int], None], to: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        send(to, number)


def _reap(*, but: int) -> None:
    """Bury the orphans that came to this process and ended; ``but`` is waited for by others."""
    if not hasattr(os, "waitid"):
        return  # macOS gives orphans to its first process, never to this one
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid != but:
            os.waitpid(ended.si_pid, 0)


def main(settings: Mapping[str, Any], command: list[str]) -> int:
    """Run the command until it ends, breaks a limit, or the caller ends."""
    caller = os.getppid()
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: stopped.append(n))
    if _LIBC is not None:
        _LIBC.prctl(_SUBREAPER, 1, 0, 0, 0)
    source, output = os.pipe()
    log = Log(settings["log"], settings["log_bytes"], source)
    limits, stdio = ResourceLimits(settings.get("memory_bytes"), settings.get("processes")), settings.get("stdio")

    def begin() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PARENT_DEATH, signal.SIGKILL, 0, 0, 0)
        os.nice(settings.get("nice", 0))

    try:
        child = subprocess.Popen(  # noqa: S603  to run a command is what it is for
            command,
            stdin=subprocess.DEVNULL if stdio is None else stdio,
            stdout=output if stdio is None else stdio,
            stderr=output,
            start_new_session=True,
            preexec_fn=begin,  # noqa: PLW1509  one thread
        )
    except OSError as error:
        report(f"failed {error.strerror}: {command[0]}")
        return 1
    os.close(output)
    if stdio is not None:
        os.close(stdio)
    report(f"pid {child.pid}")

    def stop() -> str:
        return "stopped" if stopped or os.getppid() != caller else limits.broken(child.pid)

    word = watch(child, log, stop)
    end(child, log, 0.0 if word.startswith("over") else float(settings["grace_seconds"]))
    drain(log)
    report(word if word.startswith("over") else f"{word} {child.returncode}")
    if settings.get("stop"):  # its caller need not wait for that to know that the command ended
        run_stop(list(settings["stop"]), float(settings["stop_seconds"]), log)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(json.loads(sys.argv[1]), sys.argv[2:]))
