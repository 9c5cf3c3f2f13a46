"""Do each piece of work in a child process of its own, with a deadline: what it breaks, it breaks for itself alone.

Children are forked, so that a loaded model and reference cost nothing. The parent must not have run the user's code:
threads that it left behind (of OpenMP, say) would be missing in a child, which then waits for them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from seatrial.errors import UsageError

T = TypeVar("T")
Say = Callable[[str], None]
MEMORY = 4 * 2**30  # bytes that a child may take beyond what it was born with


class How(StrEnum):
    """How a child ended."""

    ANSWERED = "answered"
    RAISED = "raised"  # what it was to do raised: that is the exam's own trouble, for user's code is run by stages
    DIED = "died"
    LATE = "late"


@dataclass(frozen=True)
class Ended:
    """How a child ended: with ``value``, or without for a ``reason``; ``said`` is the last it told on the way."""

    value: Any = None
    how: How = How.ANSWERED
    reason: str = ""
    said: str = ""
    seconds: float = 0.0


@dataclass
class _Child:
    process: Any
    begun: float
    said: str = ""


def each(
    work: Callable[[T, Say], Any], tasks: Sequence[T], *, seconds: float, jobs: int = 0
) -> Iterator[tuple[T, Ended]]:
    """Do ``work(task, say)`` for each task in a child and yield how it ended, whichever is first.

    Args:
        work: returns what JSON can carry; ``say`` tells the parent how far it is.
        tasks: what is to be done.
        seconds: that one may take; then its process group is killed.
        jobs: children at once; as many as there are processors by default.

    Raises:
        UsageError: this system cannot fork.
    """
    if not hasattr(os, "fork"):
        raise UsageError("The exam forks a process for each fault, which this system cannot. Run it on Linux or macOS.")
    jobs = jobs or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else jobs or os.cpu_count() or 1
    waiting, running = deque(enumerate(tasks)), dict[Connection, tuple[int, _Child]]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                number, task = waiting.popleft()
                receive, child = _start(work, task)
                running[receive] = (number, child)
            nearest = min(c.begun for _, c in running.values()) + seconds - time.monotonic()
            for ready in wait(list(running), timeout=max(nearest, 0)):
                assert isinstance(ready, Connection)
                number, child = running[ready]
                if (ended := _hear(ready, child)) is not None:
                    del running[ready]
                    yield tasks[number], ended
            for receive, (number, child) in list(running.items()):
                if time.monotonic() - child.begun > seconds:
                    del running[receive]
                    _end(receive, child)
                    yield tasks[number], Ended(None, How.LATE, f"no end within {seconds:g} s", child.said, seconds)
    finally:
        for receive, (_, child) in running.items():
            _end(receive, child)


def _start(work: Callable[[T, Say], Any], task: T) -> tuple[Connection, _Child]:
    context = get_context("fork")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_inside, args=(work, task, send), daemon=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside pyarrow's threads, which allow for it
        process.start()
    send.close()
    return receive, _Child(process, time.monotonic())


def _hear(receive: Connection, child: _Child) -> Ended | None:
    spent = time.monotonic() - child.begun
    try:
        told = json.loads(receive.recv_bytes())
    except (EOFError, OSError, ValueError):
        _end(receive, child, patience=5)
        return Ended(None, How.DIED, f"its process ended with code {child.process.exitcode}", child.said, spent)
    if "said" in told:
        child.said = told["said"]
        return None
    _end(receive, child, patience=5)
    how = How.RAISED if "reason" in told else How.ANSWERED
    return Ended(told.get("value"), how, told.get("reason", ""), child.said, spent)


def _end(receive: Connection, child: _Child, patience: float = 0.0) -> None:
    receive.close()
    if patience:
        child.process.join(patience)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, signal.SIGKILL)  # what it started too
    child.process.join()


def _inside(work: Callable[[T, Say], Any], task: T, send: Connection) -> None:
    with suppress(OSError):
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its children
    with open(os.devnull, "r+b") as nothing:
        for stream in (0, 1, 2):
            os.dup2(nothing.fileno(), stream)
    _bounded()
    with tempfile.TemporaryDirectory(prefix="seatrial-exam-") as scratch:
        os.chdir(scratch)

        def tell(said: dict[str, Any]) -> None:
            send.send_bytes(json.dumps(said).encode())

        try:
            tell({"value": work(task, lambda said: tell({"said": said}))})
        except BaseException as error:  # noqa: BLE001  whatever it is, the parent must hear of it
            tell({"reason": f"{type(error).__name__}: {error}"[:500]})
        os.chdir("/")
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  nothing is flushed twice
    os._exit(0)


def _bounded() -> None:
    import psutil

    with suppress(ImportError, ValueError, OSError):
        import resource

        now = psutil.Process().memory_info().vms
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
