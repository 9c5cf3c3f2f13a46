"""Why a service is slow, where it can be told from outside: busy, or asleep while everybody waits."""

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

LOOK_SECONDS = 0.01


@dataclass
class Watched:
    """Of a service under load: in how many looks one of its threads was running, and its readiness path's seconds."""

    looks: int = 0
    running: int = 0
    ready: list[float] = field(default_factory=list)

    @property
    def busy(self) -> float:
        """The share of looks in which a thread ran or waited for a core; 1 where nobody looked."""
        return self.running / self.looks if self.looks else 1.0

    @property
    def wait(self) -> float:
        """The median of its readiness answers in the second half of the time, in seconds; 0 where nobody asked.

        In the first half the queue has yet to grow, and quick answers are many because they are quick.
        """
        each = np.asarray(self.ready, dtype=float)
        ended = np.cumsum(each + LOOK_SECONDS)
        return float(np.median(each[ended > ended[-1] / 2])) if len(each) else 0.0


@contextmanager
def watch(pid: int, ready: Callable[[], object]) -> Iterator[Watched]:
    """Watch a process and ask its readiness path again and again until the block ends."""
    seen, stop = Watched(), threading.Event()

    def look() -> None:
        while not stop.wait(LOOK_SECONDS):
            with contextlib.suppress(OSError):
                seen.running += runs(pid)
                seen.looks += 1

    def ask() -> None:
        while not stop.is_set():
            begin = monotonic()
            with contextlib.suppress(Exception):
                ready()
            seen.ready.append(monotonic() - begin)
            time.sleep(LOOK_SECONDS)

    threads = [threading.Thread(target=each, name="watch", daemon=True) for each in (look, ask)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def runs(pid: int) -> bool:
    """Whether any thread of the process runs or waits for a core (Linux: state R); OSError where that is not told.

    Unlike its share of the processor this does not look idle when other processes leave it no core.
    """
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if (task / "stat").read_text().rpartition(")")[2].split()[0] == "R":
                return True
    return False


def blocked(seen: Watched, answer_seconds: float) -> bool:
    """Whether the event loop stands still: the service sleeps most of the time, and its readiness path waits with it.

    ``answer_seconds``: the median answer of the loaded path. A readiness path does nothing, so it answers at once
    unless something that everybody shares is held.
    """
    least = max(0.02, 0.1 * min(answer_seconds, 1.0))
    return seen.looks > 0 and seen.busy < 0.5 and seen.wait > least
