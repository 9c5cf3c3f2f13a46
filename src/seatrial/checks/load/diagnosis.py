"""Find out from outside why a service is slow: busy, or asleep while every request waits."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import numpy as np

SAMPLE_SECONDS = 0.01


@dataclass
class ServiceActivity:
    """Samples of a service under load.

    Attributes:
        samples: how often its threads were sampled.
        running: in how many of the samples one of its threads ran or waited for a core.
        ready_seconds: how long each request to its readiness path took.
    """

    samples: int = 0
    running: int = 0
    ready_seconds: list[float] = field(default_factory=list)

    @property
    def busy(self) -> float:
        """The share of the samples in which a thread ran or waited for a core; 1 without a sample."""
        return self.running / self.samples if self.samples else 1.0

    @property
    def wait(self) -> float:
        """The median seconds of its readiness path in the second half of the time; 0 without a request.

        In the first half the queue has yet to grow, and quick answers are many because they are quick.
        """
        each = np.asarray(self.ready_seconds, dtype=float)
        ended = np.cumsum(each + SAMPLE_SECONDS)
        return float(np.median(each[ended > ended[-1] / 2])) if len(each) else 0.0


@contextmanager
def sample_activity(pid: int, ready: Callable[[], object]) -> Iterator[ServiceActivity]:
    """Sample a process, and call its readiness path again and again, until the block ends.

    Args:
        pid: the process id of the service.
        ready: sends one request to the readiness path and returns after the answer.
    """
    activity, stop = ServiceActivity(), threading.Event()

    def sample() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            with contextlib.suppress(OSError):
                activity.running += is_running(pid)
                activity.samples += 1

    def call() -> None:
        while not stop.is_set():
            begin = monotonic()
            with contextlib.suppress(Exception):
                ready()
            activity.ready_seconds.append(monotonic() - begin)
            time.sleep(SAMPLE_SECONDS)

    threads = [threading.Thread(target=each, name="service activity", daemon=True) for each in (sample, call)]
    for thread in threads:
        thread.start()
    try:
        yield activity
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def is_running(pid: int) -> bool:
    """Return whether any thread of the process runs or waits for a core (Linux: state R).

    Unlike the process's share of the processor this stays true when other processes leave it no core.

    Raises:
        OSError: the platform does not report the state.
    """
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if (task / "stat").read_text().rpartition(")")[2].split()[0] == "R":
                return True
    return False


def event_loop_blocked(activity: ServiceActivity, answer_seconds: float) -> bool:
    """Return whether the event loop is blocked: the service sleeps most of the time, and its readiness path waits.

    A readiness path does no work, so it answers at once unless something that every request shares is held.

    Args:
        activity: the samples of the service under load.
        answer_seconds: the median latency of the loaded path.
    """
    least = max(0.02, 0.1 * min(answer_seconds, 1.0))
    return activity.samples > 0 and activity.busy < 0.5 and activity.wait > least
