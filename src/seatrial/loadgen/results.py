"""How every request of a load run ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.errors import UsageError
from seatrial.loadgen.tokens import TokenTimes

ANSWERED, TIMED_OUT, REFUSED, BROKEN, UNSENT, CUT = range(6)
OUTCOMES = ("answered", "timed out", "connection refused", "connection broken", "never sent", "stream broken")


@dataclass(frozen=True)
class RequestResult:
    """The response to request ``index`` of the schedule, with its body as it came.

    Attributes:
        index: of the request.
        status: of the response.
        body: without its encoding.
        headers: by name in lower case, the last of each name.
        sampled: false where it is returned only because its body lacks what ``expect`` named.
        arrived: where it was asked for, when so many bytes of the body had arrived, in seconds from the start.
    """

    index: int
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    sampled: bool = True
    arrived: Sequence[tuple[float, int]] = ()


@dataclass(frozen=True, eq=False)
class LoadRun:
    """One load run. Every array has the shape (requests,), in the order of the schedule.

    Attributes:
        scheduled: when each request was due, in seconds from the start.
        sent: when the generator sent it or began to connect for it, in seconds from the start; NaN where it was not
            sent.
        done: when it ended, in seconds from the start; NaN where it had not ended when the run did.
        status: of the HTTP response; 0 where there is none.
        outcome: an index into ``OUTCOMES``.
        connections: the most that could be open at once.
        waited: how many requests found every connection busy.
        retry_after: what the ``Retry-After`` of answers with status 429 asked for, some of the different texts.
        answers: the responses to the requests named by ``keep``, and those whose body lacks what ``expect`` named.
        tokens: the times of the tokens of streamed answers.
        apart_seconds: by how much the starts of its shares may differ, where they ran on several machines.
    """

    scheduled: NDArray[np.float64]
    sent: NDArray[np.float64]
    done: NDArray[np.float64]
    status: NDArray[np.int16]
    outcome: NDArray[np.uint8]
    connections: int
    waited: int = 0
    retry_after: tuple[str, ...] = ()
    answers: Sequence[RequestResult] = field(default=(), repr=False)
    tokens: TokenTimes | None = field(default=None, repr=False)
    apart_seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.scheduled)

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which requests got a response with a status of success, from 200 to 299; a redirect holds no answer."""
        return np.asarray((self.outcome == ANSWERED) & (self.status >= 200) & (self.status < 300))

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Which requests ended, in time or not, without an answer: by another status, a lost connection, a cut stream.

        A request that timed out is not among them: it was not fast enough.
        """
        return np.asarray(~self.good & np.isin(self.outcome, (ANSWERED, REFUSED, BROKEN, CUT)))

    @property
    def latencies(self) -> NDArray[np.float64]:
        """Seconds from when each request was *due* to its response; infinite where there was no good one."""
        return np.where(self.good, self.done - self.scheduled, np.inf)

    @property
    def lags(self) -> NDArray[np.float64]:
        """Seconds by which the generator was late with each request; infinite where it never sent it."""
        return np.where(np.isnan(self.sent), np.inf, self.sent - self.scheduled)

    def misses(self, limit_seconds: float) -> NDArray[np.bool_]:
        """Which requests got no good response within the limit."""
        return self.latencies > limit_seconds

    def counts(self) -> dict[str, int]:
        """Return how many requests ended in which way, by status or outcome; they add up to the number scheduled."""
        named = dict(zip(OUTCOMES, np.bincount(self.outcome, minlength=len(OUTCOMES)).tolist(), strict=True))
        seen, times = np.unique(self.status[self.outcome == ANSWERED], return_counts=True)
        by_status = {f"status {status}": int(count) for status, count in zip(seen, times, strict=True)}
        del named["answered"]
        return by_status | {name: count for name, count in named.items() if count}


def merged(runs: Sequence[LoadRun], places: Sequence[NDArray[np.int64]], *, apart_seconds: float = 0.0) -> LoadRun:
    """Return the simultaneous runs of several workers as one run.

    Args:
        runs: one for each worker.
        places: for each worker, the index in the whole schedule of each of its requests, shape (requests of it,).
        apart_seconds: by how much their starts may differ.

    Raises:
        UsageError: places that leave a request out or name one twice.

    Example:
        >>> whole = merged([odd_run, even_run], [np.arange(1, 20, 2), np.arange(0, 20, 2)])
        >>> len(whole)
        20
    """
    place = np.concatenate([np.asarray(each) for each in places]) if runs else np.zeros(0, dtype=int)
    if not runs or not np.array_equal(np.sort(place), np.arange(sum(len(run) for run in runs))):
        raise UsageError("The runs do not hold every request of the schedule exactly once, so they cannot be merged.")
    order = np.argsort(place)
    columns: dict[str, Any] = {
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
        retry_after=tuple(dict.fromkeys(text for run in runs for text in run.retry_after)),
        answers=sorted(answers, key=lambda answer: answer.index),
        apart_seconds=apart_seconds,
    )
