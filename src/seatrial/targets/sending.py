"""Many requests to one service: as many at once as it takes, and no request blamed for another's connection."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter, deque
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
_SHARE = 1 / 3  # of its deadline, after which it may be waiting too: one that runs into it shows nothing
_USUAL = 50  # answers whose times are the usual
_SERVED = 3  # answers on one connection while a request waits on another: a machine that stalls gives fewer
_STALLS = 3  # requests that wait while all others are answered, and are at once alone: after so many it is no chance

Ask = Callable[[], Coroutine[Any, Any, Response]]


class Connections(Protocol):
    """What holds the connections that requests are sent on."""

    connections: int
    pace: Pace

    async def reconnect(self, *, alone: bool) -> None:
        """Close every connection."""


class _StarvedError(Exception):
    """A request waited for its answer while others got theirs, on so many other connections."""

    def __init__(self, served: int) -> None:
        super().__init__(served)
        self.served = served


class Sending:
    """Requests that are sent to one service, and what became of each.

    A request that is not answered while others are, or whose connection is closed again and again, is sent alone. If
    it is answered then, as many are sent at once from there on as were answered meanwhile: a server may serve one
    connection at a time, or a few.

    Args:
        http: the connections.
        asked: functions that send the requests.
        seconds: the deadline of each.
        all_seconds: after which no more are sent.
    """

    def __init__(self, http: Connections, asked: Sequence[Ask], seconds: float, all_seconds: float) -> None:
        self._http, self._pace, self._asked, self._seconds = http, http.pace, asked, seconds
        self._results: list[Response | TargetError | None] = [None] * len(asked)
        self._pending = deque(range(len(asked)))
        self._suspects: dict[int, Exception] = {}
        self._cleared: set[int] = set()  # that are not watched
        self._asked_alone: set[int] = set()
        self._tries = [0] * len(asked)
        self._until, self._failures, self._kept = time.monotonic() + all_seconds, 0, 0
        self._times: deque[float] = deque(maxlen=_USUAL)
        self._answers: Counter[int] = Counter()  # of each of those that work at once
        self._at_once = self._stalls = 0
        self._last = 0.0

    async def run(self) -> list[Response | TargetError | None]:
        """Send them all, and return what became of each, in order; None for what was not sent."""
        while self._pending and not self._over:
            self._at_once = min(self._http.connections, self._pace.width, len(self._pending))
            await asyncio.gather(*(self._work(n) for n in range(self._at_once)))
            if self._suspects:
                await self._alone()
        return self._results

    @property
    def _over(self) -> bool:
        late = self._kept > LIMIT_ALL_BYTES or time.monotonic() > self._until
        return late or self._failures >= FAILURES or self._pace.hopeless

    @property
    def _patience(self) -> float:
        usual = _TIMES * statistics.median(self._times) if self._times else 0.0
        return min(max(PATIENCE_SECONDS, usual), _SHARE * self._seconds)

    async def _work(self, number: int) -> None:
        while self._pending and not self._over and not self._suspects and number < self._pace.width:
            with self._pace.active():
                await self._one(self._pending.popleft(), number)

    async def _one(self, at: int, number: int) -> None:
        await self._pace.turn()
        if self._suspects:  # the connections are about to be closed
            self._pending.appendleft(at)
            return
        try:
            response = await self._watched(at)
        except (_StarvedError, TargetError) as error:
            if isinstance(error, _StarvedError) or self._doubtful(at, error):
                self._suspects[at] = error
            else:
                self._failed(at, error)
            return
        self._answers[number] += 1
        self._tries[at] += 1
        if self._pace.must_wait(response, self._tries[at]):
            self._pending.appendleft(at)
        else:
            self._answered(at, response)

    async def _watched(self, at: int) -> Response:
        """Return the answer; _StarvedError where it does not come while others come."""
        begin, before = time.monotonic(), self._answers.copy()
        if self._pace.width == 1 or at in self._cleared:
            response = await self._asked[at]()
        else:
            task = asyncio.ensure_future(self._asked[at]())
            try:
                while not task.done():
                    await asyncio.wait({task}, timeout=_LOOK_SECONDS)
                    now, patience = time.monotonic(), self._patience
                    if task.done() or not self._times or now - begin <= patience:
                        continue
                    served = self._served_since(before)
                    if served or not self._pending or now - self._last > patience:  # no more answers come
                        raise _StarvedError(served or self._served_since(before, least=1))
                response = task.result()
            finally:
                if not task.done():
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
        self._last = time.monotonic()
        self._times.append(self._last - begin)
        return response

    def _served_since(self, before: Counter[int], least: int = _SERVED) -> int:
        """Return how many connections had so many answers since."""
        return sum(count >= least for count in (self._answers - before).values())

    def _doubtful(self, at: int, error: TargetError) -> bool:
        """Whether an error may be that of a connection too many."""
        if at in self._asked_alone or self._pace.width == 1:
            return False
        gone = isinstance(error, ClosedError) or type(error) is TargetError
        return at in self._cleared or (gone and bool(self._times))

    async def _alone(self) -> None:
        """Send the first request in doubt alone; the answer tells whether there were too many at once."""
        (first, why), *others = self._suspects.items()
        self._suspects.clear()
        self._pending.extendleft(at for at, _ in reversed(others))
        self._cleared.add(first)
        self._asked_alone.add(first)
        patience = self._patience
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
            self._narrow(why)
            self._cleared.difference_update(at for at, _ in others)
        else:  # it was that request, or a stall: those that then run into their deadline are sent alone too
            self._cleared.update(at for at, _ in others)
        if not self._pace.alone:
            await self._http.reconnect(alone=False)

    def _narrow(self, why: Exception) -> None:
        """Send fewer at once, because of how a request went that is answered alone."""
        width = self._pace.width
        if not isinstance(why, _StarvedError):
            self._pace.narrow(width // 2)
        elif why.served >= max(2, self._at_once - 1) and self._stalls < _STALLS:
            self._stalls += 1  # every other connection was served: more likely this one met a stall
        else:
            self._pace.narrow(min(max(1, why.served), width - 1), alone=why.served <= 1)

    def _answered(self, at: int, response: Response) -> None:
        self._results[at] = response
        self._kept, self._failures = self._kept + len(response.body), 0

    def _failed(self, at: int, error: TargetError) -> None:
        self._results[at] = error
        self._failures += 1
