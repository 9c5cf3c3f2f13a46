"""What became of every request of a load run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from seatrial.errors import UsageError

ANSWERED, TIMED_OUT, REFUSED, BROKEN, UNSENT = range(5)
OUTCOMES = ("answered", "timed out", "connection refused", "connection broken", "never sent")


@dataclass(frozen=True)
class RequestResult:
    """One answer that was kept: what the service said to request ``index``."""

    index: int
    status: int
    body: bytes


@dataclass(frozen=True, eq=False)
class LoadRun:
    """One load run. All arrays have one row a scheduled request, in the order of the schedule.

    ``scheduled``, ``sent`` and ``done`` are seconds from the start; ``sent`` is when the generator handed the
    request over, and nan where it never came to that. ``outcome`` indexes ``OUTCOMES``, ``status`` is the HTTP
    status or 0. ``waited`` counts requests that found every connection busy.
    """

    scheduled: NDArray[np.float64]
    sent: NDArray[np.float64]
    done: NDArray[np.float64]
    status: NDArray[np.int16]
    outcome: NDArray[np.uint8]
    connections: int
    waited: int = 0
    answers: Sequence[RequestResult] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.scheduled)

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which requests got an answer with a status from 200 to 399."""
        return np.asarray((self.outcome == ANSWERED) & (self.status >= 200) & (self.status < 400))

    @property
    def latencies(self) -> NDArray[np.float64]:
        """Seconds from when each request was *due* to its answer; infinite where there was no good answer."""
        return np.where(self.good, self.done - self.scheduled, np.inf)

    @property
    def lags(self) -> NDArray[np.float64]:
        """Seconds by which the generator was late with each request; infinite where it never sent it."""
        return np.where(np.isnan(self.sent), np.inf, self.sent - self.scheduled)

    def misses(self, limit_seconds: float) -> NDArray[np.bool_]:
        """Which requests were not well answered within the limit."""
        return self.latencies > limit_seconds

    def counts(self) -> dict[str, int]:
        """How many requests ended in which way; the values add up to the number scheduled."""
        named = dict(zip(OUTCOMES, np.bincount(self.outcome, minlength=len(OUTCOMES)).tolist(), strict=True))
        seen, times = np.unique(self.status[self.outcome == ANSWERED], return_counts=True)
        by_status = {f"status {status}": int(count) for status, count in zip(seen, times, strict=True)}
        del named["answered"]
        return by_status | {name: count for name, count in named.items() if count}


def merged(runs: Sequence[LoadRun], places: Sequence[NDArray[np.int64]]) -> LoadRun:
    """Return what several workers did at the same time as one run.

    ``places``: for each worker, where each of its requests stands in the whole schedule.

    Raises:
        UsageError: places that leave a request out or name one twice.
    """
    place = np.concatenate([np.asarray(each) for each in places]) if runs else np.zeros(0, dtype=int)
    if not runs or not np.array_equal(np.sort(place), np.arange(sum(len(run) for run in runs))):
        raise UsageError("Runs are merged when together they hold every request of a schedule once.")
    order = np.argsort(place)
    columns = {
        name: np.concatenate([getattr(run, name) for run in runs])[order]
        for name in ("scheduled", "sent", "done", "status", "outcome")
    }
    answers = [
        replace(answer, index=int(at[answer.index]))
        for at, run in zip(places, runs, strict=True)
        for answer in run.answers
    ]
    return LoadRun(
        **columns,
        connections=sum(run.connections for run in runs),
        waited=sum(run.waited for run in runs),
        answers=sorted(answers, key=lambda answer: answer.index),
    )
