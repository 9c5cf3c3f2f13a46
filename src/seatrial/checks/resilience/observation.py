"""What is seen of a service while a dependency is broken: its answers, its calls, its sockets and threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd

from seatrial.checks.serving.expected import Expected
from seatrial.faults.proxy.dependency import DependencyProxy
from seatrial.loadgen.results import ANSWERED, LoadRun
from seatrial.policy.service import FailurePolicy

LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Baseline:
    """What answers are held against.

    Attributes:
        expected: requests and recorded answers.
        fallback: the declared fallback's answers to the same requests; None where none is declared.
        uses: which requests use the dependency: their fallback answer is labelled.
    """

    expected: Expected
    fallback: pd.DataFrame | None
    uses: np.ndarray
    loss: FailurePolicy


@dataclass(frozen=True)
class Observation:
    """One phase of load. Arrays have one element a request, in the order of the schedule.

    Attributes:
        ground: what the answers are held against.
        run: what became of the requests.
        rows: the row of the reference that each request asked for.
        watched: what was counted meanwhile.
        others: paths that do not use the dependency, and what became of their requests.
        hits: how often the fault did something.
        usual: seconds that nearly all answers (95 %) took before the fault.
        tries: 2 where the fault was tried again, because answers were late the first time.
    """

    ground: Baseline
    run: LoadRun
    rows: np.ndarray
    watched: Watched
    others: Mapping[str, LoadRun]
    hits: int = 0
    usual: float = 0.0
    tries: int = 1

    @cached_property
    def told(self) -> list[dict[str, Any] | None]:
        """The answered object of each request, None where there is none."""
        good = [a for a in self.run.answers if 200 <= a.status < 300]
        objects, _ = self.ground.expected.answered(good, [int(self.rows[a.index]) for a in good])
        told: list[dict[str, Any] | None] = [None] * len(self.run)
        for answer, found in zip(good, objects, strict=True):
            told[answer.index] = found
        return told

    @cached_property
    def answered(self) -> np.ndarray:
        """Which requests got an object."""
        return np.array([each is not None for each in self.told], dtype=bool)

    @cached_property
    def labelled(self) -> np.ndarray:
        """Which answers say that they are degraded."""
        return np.array([each is not None and each.get(self.ground.loss.degraded_field) is True for each in self.told])

    @cached_property
    def reasoned(self) -> np.ndarray:
        """Which answers give a reason."""
        reason = self.ground.loss.reason_field
        return np.array(
            [bool(each and isinstance(each.get(reason), str) and each[reason].strip()) for each in self.told]
        )

    @cached_property
    def whole(self) -> np.ndarray:
        """Which answers are those that were recorded, the label included."""
        return self._equal(None, ())

    @cached_property
    def fallen(self) -> np.ndarray:
        """Which answers are those of the declared fallback, whatever their label says."""
        if self.ground.fallback is None:
            return np.zeros(len(self.told), dtype=bool)
        return self._equal(self.ground.fallback, (self.ground.loss.degraded_field, self.ground.loss.reason_field))

    @property
    def uses(self) -> np.ndarray:
        """Which requests use the dependency."""
        return np.asarray(self.ground.uses[self.rows])

    @property
    def seconds(self) -> np.ndarray:
        """Seconds from when each request was sent to its answer; infinite where there was none."""
        ended = (self.run.outcome == ANSWERED) & ~np.isnan(self.run.sent)
        return np.where(ended, self.run.done - self.run.sent, np.inf)

    def _equal(self, frame: pd.DataFrame | None, without: Sequence[str]) -> np.ndarray:
        at = np.flatnonzero(self.answered)
        found = np.zeros(len(self.told), dtype=bool)
        told = [self.told[n] or {} for n in at]
        found[at] = self.ground.expected.equal(told, self.rows[at].tolist(), frame, without=without)
        return found


@dataclass
class Watched:
    """Counted again and again: calls of the dependency so far, the service's connections to it, and its threads."""

    begin: float = field(default_factory=monotonic)
    moments: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    @property
    def most(self) -> int:
        """The most connections at any moment."""
        return max(self.connections, default=0)

    def storm(self, scheduled: np.ndarray, window: float = 1.0, before: float = 0.0) -> float:
        """Return the most calls a request within any ``window`` seconds; requests due ``before`` it count too."""
        moments, calls = np.asarray(self.moments) - self.begin, np.asarray(self.calls)
        worst = 0.0
        for n, moment in enumerate(moments):
            first = int(np.searchsorted(moments, moment - window))
            asked = int(((scheduled > moments[first] - before - LOOK_SECONDS) & (scheduled <= moment)).sum())
            made = int(calls[n] - calls[max(first - 1, 0)])
            worst = max(worst, made / max(asked, 5))  # fewer are no rate
        return worst


@contextmanager
def watch(between: DependencyProxy, pid: int) -> Iterator[Watched]:
    """Count until the block ends."""
    seen, stop = Watched(), threading.Event()

    def look() -> None:
        while True:
            sockets, threads = resources(pid, between.port)
            seen.moments.append(monotonic())
            seen.calls.append(between.calls)
            seen.connections.append(sockets)
            seen.threads.append(threads)
            if stop.wait(LOOK_SECONDS):
                return

    thread = threading.Thread(target=look, name="watch", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def resources(pid: int, port: int) -> tuple[int, int]:
    """Return the sockets that a process and its children hold to ``port``, in any state, and their threads."""
    import psutil

    sockets = threads = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                threads += each.num_threads()
                sockets += sum(bool(s.raddr) and s.raddr.port == port for s in each.net_connections("tcp"))
    return sockets, threads
