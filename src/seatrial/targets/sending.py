"""Many requests to one service: as many at once as it takes, and no request blamed for another's connection."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from seatrial.errors import TargetError
from seatrial.targets.connections import ClosedError
from seatrial.targets.messages import Response
from seatrial.targets.pacing import Pace

FAILURES = 5  # requests in a row without an answer after which the rest are not sent
LIMIT_ALL_BYTES = 2**30  # of all the answers that are kept at once
PATIENCE_SECONDS = 2.0  # for an answer, while other requests get theirs
_LOOK_SECONDS = 0.1
_TIMES = 20  # the usual time of an answer: past it a request may be waiting for a connection and not for its answer
_USUAL = 50  # answers whose times are the usual

Ask = Callable[[], Coroutine[Any, Any, Response]]


class Connections(Protocol):
    """What holds the connections that requests are sent on."""

    connections: int
    pace: Pace

    async def reconnect(self, *, alone: bool) -> None:
        """Close every connection."""


class _StarvedError(Exception):
    """A request waited for its answer while others got theirs."""


class Sending:
    """Requests that are sent to one service, and what became of each.

    A request that is not answered while others are, or whose connection is closed again and again, is sent alone. If
    it is answered then, fewer are sent at once from there on: a server may serve one connection at a time.

    Args:
        http: the connections.
        asked: functions that send the requests.
        all_seconds: after which no more are sent.
    """

    def __init__(self, http: Connections, asked: Sequence[Ask], all_seconds: float) -> None:
        self._http, self._pace, self._asked = http, http.pace, asked
        self._results: list[Response | TargetError | None] = [None] * len(asked)
        self._pending = deque(range(len(asked)))
        self._suspects: dict[int, Exception] = {}
        self._cleared: set[int] = set()
        self._tries = [0] * len(asked)
        self._until, self._failures, self._kept = time.monotonic() + all_seconds, 0, 0
        self._times: deque[float] = deque(maxlen=_USUAL)

    async def run(self) -> list[Response | TargetError | None]:
        """Send them all, and return what became of each, in order; None for what was not sent."""
        while self._pending and not self._over:
            at_once = min(self._http.connections, self._pace.width, len(self._pending))
            await asyncio.gather(*(self._work(n) for n in range(at_once)))
            if self._suspects:
                await self._alone()
        return self._results

    @property
    def _over(self) -> bool:
        late = self._kept > LIMIT_ALL_BYTES or time.monotonic() > self._until
        return late or self._failures >= FAILURES or self._pace.hopeless

    @property
    def _patience(self) -> float:
        return max(PATIENCE_SECONDS, _TIMES * statistics.median(self._times) if self._times else 0.0)

    async def _work(self, number: int) -> None:
        while self._pending and not self._over and not self._suspects and number < self._pace.width:
            at = self._pending.popleft()
            await self._pace.turn()
            if self._suspects:  # the connections are about to be closed
                self._pending.appendleft(at)
                return
            try:
                response = await self._watched(at)
            except (_StarvedError, TargetError) as error:
                if isinstance(error, _StarvedError) or self._doubtful(at, error):
                    self._suspects[at] = error
                    return
                self._failed(at, error)
                continue
            self._tries[at] += 1
            if self._pace.must_wait(response, self._tries[at]):
                self._pending.appendleft(at)
            else:
                self._answered(at, response)

    async def _watched(self, at: int) -> Response:
        """Return the answer; _StarvedError where it does not come while others come."""
        begin = time.monotonic()
        if self._pace.width == 1 or at in self._cleared:
            response = await self._asked[at]()
        else:
            task = asyncio.ensure_future(self._asked[at]())
            try:
                while not task.done():
                    await asyncio.wait({task}, timeout=_LOOK_SECONDS)
                    if not task.done() and self._times and time.monotonic() - begin > self._patience:
                        raise _StarvedError
                response = task.result()
            finally:
                if not task.done():
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
        self._times.append(time.monotonic() - begin)
        return response

    def _doubtful(self, at: int, error: TargetError) -> bool:
        """Whether an error may be that of a connection too many."""
        gone = isinstance(error, ClosedError) or type(error) is TargetError
        return gone and bool(self._times) and self._pace.width > 1 and at not in self._cleared

    async def _alone(self) -> None:
        """Send the first request in doubt alone; the answer tells whether there were too many at once."""
        (first, why), *others = self._suspects.items()
        self._suspects.clear()
        self._pending.extendleft(at for at, _ in reversed(others))
        self._cleared.add(first)
        patience, width, starved = self._patience, self._pace.width, isinstance(why, _StarvedError)
        await self._http.reconnect(alone=True)
        begin = time.monotonic()
        try:
            response = await self._pace.paced(self._asked[first])
        except TargetError as error:
            self._failed(first, error)
            right = False
        else:
            right = time.monotonic() - begin < patience
            self._answered(first, response)
        if right:
            self._pace.narrow(1 if starved else width // 2, alone=starved)
        else:  # it was that request
            self._cleared.update(at for at, _ in others)
        if not self._pace.alone:
            await self._http.reconnect(alone=False)

    def _answered(self, at: int, response: Response) -> None:
        self._results[at] = response
        self._kept, self._failures = self._kept + len(response.body), 0

    def _failed(self, at: int, error: TargetError) -> None:
        self._results[at] = error
        self._failures += 1
