"""Run each task in a child process of its own, with a deadline, so that what one breaks affects no other.

Children are forked, so that a loaded model and reference cost nothing. The parent must not have run the user's code:
threads that it started (of OpenMP, for example) would be missing in a child, which then waits for them.
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
Report = Callable[[str], None]
MEMORY = 4 * 2**30  # bytes that a child may allocate beyond what it starts with


class ChildStatus(StrEnum):
    """How a child ended."""

    RETURNED = "returned"
    RAISED = "raised"  # the task raised: an error of the mutation test itself, for stages catch what user code raises
    DIED = "died"
    TIMED_OUT = "timed out"


@dataclass(frozen=True)
class ChildResult:
    """How a child ended: with ``value``, or without one for a ``reason``; ``progress`` is the last that it reported."""

    value: Any = None
    status: ChildStatus = ChildStatus.RETURNED
    reason: str = ""
    progress: str = ""
    seconds: float = 0.0


@dataclass
class _Child:
    process: Any
    started: float
    progress: str = ""


def run_each(
    work: Callable[[T, Report], Any], tasks: Sequence[T], *, seconds: float, jobs: int = 0
) -> Iterator[tuple[T, ChildResult]]:
    """Call ``work(task, report)`` for each task in a child and yield each result as soon as it is there.

    Args:
        work: returns a JSON value; ``report`` sends the progress to the parent.
        tasks: one child each.
        seconds: limit for one task; then its process group is killed.
        jobs: children at once; as many as there are processors by default.

    Raises:
        UsageError: this system cannot fork.
    """
    if not hasattr(os, "fork"):
        raise UsageError(
            "A mutation test forks a process for each mutant, which this system cannot do. Run it on Linux or macOS."
        )
    jobs = jobs or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else jobs or os.cpu_count() or 1
    waiting, running = deque(enumerate(tasks)), dict[Connection, tuple[int, _Child]]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                number, task = waiting.popleft()
                receive, child = _start(work, task)
                running[receive] = (number, child)
            nearest = min(c.started for _, c in running.values()) + seconds - time.monotonic()
            for ready in wait(list(running), timeout=max(nearest, 0)):
                assert isinstance(ready, Connection)
                number, child = running[ready]
                if (ended := _receive(ready, child)) is not None:
                    del running[ready]
                    yield tasks[number], ended
            for receive, (number, child) in list(running.items()):
                if time.monotonic() - child.started > seconds:
                    del running[receive]
                    _end(receive, child)
                    yield tasks[number], _timed_out(child, seconds)
    finally:
        for receive, (_, child) in running.items():
            _end(receive, child)


def _timed_out(child: _Child, seconds: float) -> ChildResult:
    return ChildResult(None, ChildStatus.TIMED_OUT, f"it did not end within {seconds:g} s", child.progress, seconds)


def _start(work: Callable[[T, Report], Any], task: T) -> tuple[Connection, _Child]:
    context = get_context("fork")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_inside, args=(work, task, send), daemon=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside pyarrow's threads, which allow for it
        process.start()
    send.close()
    return receive, _Child(process, time.monotonic())


def _receive(receive: Connection, child: _Child) -> ChildResult | None:
    spent = time.monotonic() - child.started
    try:
        message = json.loads(receive.recv_bytes())
    except (EOFError, OSError, ValueError):
        _end(receive, child, patience=5)
        return ChildResult(
            None, ChildStatus.DIED, f"its process ended with code {child.process.exitcode}", child.progress, spent
        )
    if "progress" in message:
        child.progress = message["progress"]
        return None
    _end(receive, child, patience=5)
    status = ChildStatus.RAISED if "reason" in message else ChildStatus.RETURNED
    return ChildResult(message.get("value"), status, message.get("reason", ""), child.progress, spent)


def _end(receive: Connection, child: _Child, patience: float = 0.0) -> None:
    receive.close()
    if patience:
        child.process.join(patience)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, signal.SIGKILL)  # what it started too
    child.process.join()


def _inside(work: Callable[[T, Report], Any], task: T, send: Connection) -> None:
    with suppress(OSError):
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its children
    with open(os.devnull, "r+b") as nothing:
        for stream in (0, 1, 2):
            os.dup2(nothing.fileno(), stream)
    _limit_memory()
    with tempfile.TemporaryDirectory(prefix="seatrial-mutation-") as scratch:
        os.chdir(scratch)

        def to_parent(message: dict[str, Any]) -> None:
            send.send_bytes(json.dumps(message).encode())

        try:
            to_parent({"value": work(task, lambda progress: to_parent({"progress": progress}))})
        except BaseException as error:  # noqa: BLE001  whatever it is, the parent must know
            to_parent({"reason": f"{type(error).__name__}: {error}"[:500]})
        os.chdir("/")
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  nothing is flushed twice
    os._exit(0)


def _limit_memory() -> None:
    import psutil

    with suppress(ImportError, ValueError, OSError):
        import resource

        now = psutil.Process().memory_info().vms
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
