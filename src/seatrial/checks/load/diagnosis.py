"""Find out from outside why a service is slow: busy, or asleep while every request waits."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic

import numpy as np

SAMPLE_SECONDS = 0.01
CALLS = 5
STEPS = 4  # of an answer at which one of several threads waits for a core, as a rule
TREE_SECONDS = 1.0  # between two looks for the processes of the service


@dataclass
class ServiceActivity:
    """Samples of a service under load.

    Attributes:
        samples: how often its threads were sampled.
        running: in how many of the samples one of its threads ran or waited for a core.
        ready_seconds: how long each request to its readiness path took, over the connection where they waited longest.
        lags: by how many seconds each sample was late: how long a thread waits for a core on this machine.
    """

    samples: int = 0
    running: int = 0
    ready_seconds: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)

    @property
    def busy(self) -> float:
        """The share of the samples in which a thread ran or waited for a core; 1 without a sample."""
        return self.running / self.samples if self.samples else 1.0

    @property
    def wait(self) -> float:
        """The seconds of its readiness path at the median moment of the second half of the time; 0 without a request.

        In the first half the queue has yet to grow. Quick answers are many because they are quick, so each counts for
        as long as it took.
        """
        return _wait(self.ready_seconds)


def _wait(ready_seconds: Sequence[float]) -> float:
    each = np.asarray(ready_seconds, dtype=float)
    if not len(each):
        return 0.0
    weights = each + SAMPLE_SECONDS
    ended = np.cumsum(weights)
    late = ended > ended[-1] / 2
    order = np.argsort(each[late])
    reached = np.cumsum(weights[late][order])
    return float(each[late][order][np.searchsorted(reached, reached[-1] / 2)])


@contextmanager
def sample_activity(pid: int, ready: Sequence[Callable[[], object]]) -> Iterator[ServiceActivity]:
    """Sample a service's processes, and call its readiness path again and again, until the block ends.

    Of several workers one may have few of the loaded connections, and answers at once: it takes more than one
    connection to meet one that waits.

    Args:
        pid: the process that was started for the service; all that it started belong to it.
        ready: each sends one request to the readiness path, over a connection of its own, and returns after the answer.
    """
    activity, stop = ServiceActivity(), threading.Event()
    taken: list[list[float]] = [[] for _ in ready]

    def sample() -> None:
        processes, look, due = [pid], 0.0, monotonic() + SAMPLE_SECONDS
        while not stop.wait(SAMPLE_SECONDS):
            activity.lags.append(monotonic() - due)
            if monotonic() > look:
                processes, look = tree_of(pid), monotonic() + TREE_SECONDS
            with contextlib.suppress(OSError):
                activity.running += is_running(processes)
                activity.samples += 1
            due = monotonic() + SAMPLE_SECONDS

    def call(ask: Callable[[], object], seconds: list[float]) -> None:
        while not stop.is_set():
            begin = monotonic()
            with contextlib.suppress(Exception):
                ask()
            seconds.append(monotonic() - begin)
            stop.wait(SAMPLE_SECONDS * len(ready))

    calls = (partial(call, ask, seconds) for ask, seconds in zip(ready, taken, strict=True))
    work: list[Callable[[], None]] = [sample, *calls]
    threads = [threading.Thread(target=each, name="service activity", daemon=True) for each in work]
    for thread in threads:
        thread.start()
    try:
        yield activity
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
        activity.ready_seconds = max(taken, key=_wait)


def tree_of(pid: int) -> list[int]:
    """Return the process and all that it started, such as the workers of a server, or a server behind a wrapper."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return [pid]


def _leaves_of(pid: int) -> list[int]:
    """Return the processes of a tree that started no other: those that serve, where one watches its workers."""
    import psutil

    with contextlib.suppress(psutil.Error):
        every = [psutil.Process(each) for each in tree_of(pid)]
        return [each.pid for each in every if not each.children()]
    return [pid]


def has_event_loop(pid: int, proc: Path = Path("/proc")) -> bool:
    """Return whether the service waits in an event loop (Linux: epoll), as asyncio and uvloop do.

    A server whose workers take one request at a time, such as gunicorn's default ones, has none, though the process
    that watches them may. Where nothing can be seen of the processes, it is taken to have one.
    """
    seen = False
    for process in _leaves_of(pid):
        with contextlib.suppress(OSError):
            for descriptor in (proc / str(process) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if descriptor.readlink().name == "anon_inode:[eventpoll]":
                        return True
                    seen = True
    return not seen


def is_running(processes: Iterable[int]) -> bool:
    """Return whether any thread of the processes runs or waits for a core (Linux: state R).

    Unlike the process's share of the processor this stays true when other processes leave it no core.

    Raises:
        OSError: the platform does not report the state, or all of them ended.
    """
    known = False
    for pid in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    if (task / "stat").read_text().rpartition(")")[2].split()[0] == "R":
                        return True
            known = True
    if not known:
        raise OSError("the state of no process is known")
    return False


def at_ease(ready: Callable[[], object]) -> float:
    """Return the median seconds of a readiness path that is called alone, a few times; infinite without an answer.

    A server that writes head and body apart takes some 40 ms for it, while the client delays its acknowledgement.
    """
    each = list[float]()
    for _ in range(CALLS):
        begin = monotonic()
        with contextlib.suppress(Exception):
            ready()
            each.append(monotonic() - begin)
    return float(np.median(each)) if each else math.inf


def event_loop_blocked(activity: ServiceActivity, answer_seconds: float, ease_seconds: float = 0.0) -> bool:
    """Return whether the event loop is blocked: the service sleeps most of the time, and its readiness path waits.

    A readiness path does no work, so it answers at once unless something that every request shares is held. On a busy
    machine it waits for a core at each of its steps; how long one such wait takes is measured beside it. A blocked one
    waits about as long as the loaded path, whatever else runs.

    Args:
        activity: the samples of the service under load.
        answer_seconds: the median latency of the loaded path.
        ease_seconds: how long the readiness path takes without load.
    """
    lag = float(np.median(activity.lags)) if activity.lags else 0.0
    least = max(0.02, 0.1 * min(answer_seconds, 1.0), min(STEPS * lag, 0.5 * answer_seconds))
    return activity.samples > 0 and activity.busy < 0.5 and activity.wait > ease_seconds + least
