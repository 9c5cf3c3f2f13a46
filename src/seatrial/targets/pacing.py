"""How many requests a service takes at once and in a second: declared, or found out from what it answers."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime

from seatrial.formatting import number, plural
from seatrial.formatting import seconds as duration
from seatrial.targets.messages import Response

RATE_LIMIT = 429  # the status of too many requests
TRIES = 8  # of one request that the service asks to send later
MOST_SECONDS = 120.0  # that one request to wait is heeded for
ALL_SECONDS = 300.0  # that all of them together are heeded for
_FIRST_SECONDS, _LEAST_SECONDS = 1.0, 0.05
_USED = 0.9  # of the rate that was found to be taken


class Pace:
    """What the clients of one service keep to, shared by all of them, whichever threads they run in.

    Args:
        concurrency: how many requests are under way at once, at most.
        per_second: how many are sent in a second, at most; None for as many as are answered.

    Attributes:
        width: how many are under way at once now.
        alone: the service serves one connection at a time: none is kept open between requests.
        limited: the number of answers that asked to wait, 429 or 503 with ``Retry-After``.
        waited: the seconds that were waited for them.
        given_up: the number of requests that were not sent once more, because of the bounds.
        hopeless: the last of them was the last answer of all.

    Example:
        >>> pace = Pace(8, per_second=20)
        >>> pace.told
        ''
    """

    def __init__(self, concurrency: int = 8, per_second: float | None = None) -> None:
        self.width, self._declared = concurrency, per_second
        self.alone, self.limited, self.waited, self.given_up = False, 0, 0.0, 0
        self.hopeless = False
        self._narrowed_from, self._found = 0, 0.0
        self._not_before = self._next = self._window = 0.0
        self._taken = self._active = 0
        self._idle, self._free_since, self._lock = 0.0, math.inf, threading.Lock()

    @property
    def per_second(self) -> float | None:
        """How many requests are sent in a second: as declared, or as found out; None for as many as are answered."""
        return self._declared or self._found or None

    async def paced(self, ask: Callable[[], Awaitable[Response]]) -> Response:
        """Return the answer to a request, which is asked in its turn and again where the service asks to wait."""
        tries = 0
        with self.active():
            while True:
                await self.turn()
                response = await ask()
                tries += 1
                if not self.must_wait(response, tries):
                    return response

    @contextmanager
    def active(self) -> Iterator[None]:
        """Say that a request is under way or waits for its turn: time without any says nothing of a rate."""
        with self._lock:
            if not self._active:
                self._idle += max(0.0, time.monotonic() - max(self._free_since, self._window))
            self._active += 1
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1
                self._free_since = time.monotonic()

    async def turn(self) -> None:
        """Wait until the next request may be sent."""
        now = time.monotonic()
        due = max(now, self._not_before)
        if rate := self.per_second:
            due = max(due, self._next)
            self._next = due + 1 / rate
        if due > now:
            await asyncio.sleep(due - now)
            if self._not_before > time.monotonic():  # meanwhile the service asked to wait
                await self.turn()

    def must_wait(self, response: Response, tries: int) -> bool:
        """Whether a request is to be sent again, after a wait that every request keeps to from now on."""
        asked = retry_after(response)
        if response.status != RATE_LIMIT and (response.status != 503 or asked is None):
            self._taken += 1
            self.hopeless = False
            return False
        self.limited += 1
        now = time.monotonic()
        wait = max(_LEAST_SECONDS, _FIRST_SECONDS * 2 ** min(tries - 1, 3) if asked is None else asked)
        more = max(0.0, now + wait - max(now, self._not_before))
        if tries >= TRIES or wait > MOST_SECONDS or self.waited + more > ALL_SECONDS:
            self.given_up += 1
            self.hopeless = True
            return False
        if now >= self._not_before:  # the first of those under way that is told so
            self._learn(now, wait)
        self._not_before = max(self._not_before, now + wait)
        self.waited += more
        return True

    def narrow(self, width: int, *, alone: bool = False) -> None:
        """Have at most this many requests under way at once from now on."""
        self._narrowed_from = self._narrowed_from or self.width
        self.width, self.alone = max(1, width), self.alone or alone

    def _learn(self, now: float, wait: float) -> None:
        """Go down to half as many at once, and to the rate that was taken since the last wait, without idle time."""
        if self._window and self._taken and not self._declared:
            rate = _USED * self._taken / (now + wait - self._window - self._idle)
            self._found = min(rate, self._found or math.inf)
        self._window, self._taken, self._idle = now + wait, 0, 0.0
        if self.width > 1:
            self.narrow(self.width // 2)

    @property
    def told(self) -> str:
        """What was found out, as one or more sentences; empty where nothing was."""
        said = []
        if self.limited:
            said.append(
                f"The service limits the rate of requests: {plural(self.limited, 'answer')} asked to wait (status 429, "
                f"or 503 with Retry-After), which took {duration(self.waited)} in all."
            )
            if self._found:
                said.append(f"From then on {number(self._found)} requests were sent in a second.")
            if self.given_up:
                said.append(f"{plural(self.given_up, 'request')} could not be sent again within the bounds.")
        if self.alone:
            said.append(
                f"The service serves one connection at a time: of {self._narrowed_from:,} requests at once, some were "
                "not answered while others were, and were when they were sent alone."
            )
        elif self._narrowed_from:
            said.append(f"{self.width:,} instead of {self._narrowed_from:,} requests were sent at once.")
        return " ".join(said)


def is_limit(result: object) -> bool:
    """Whether a response says that there were too many requests: what it was asked is then not answered.

    Example:
        >>> is_limit(Response(429, {}, b"", 0.1)), is_limit(Response(422, {}, b"", 0.1))
        (True, False)
    """
    return isinstance(result, Response) and result.status == RATE_LIMIT


def retry_after(response: Response) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks to wait, from a number or a date; None without one.

    A date counts from the ``Date`` of the same answer where it has one, since clocks differ.

    Example:
        >>> date = {"date": "Wed, 21 Oct 2015 07:28:00 GMT", "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}
        >>> retry_after(Response(429, date, b"", 0.1)), retry_after(Response(429, {"retry-after": "2"}, b"", 0.1))
        (30.0, 2.0)
    """
    text = response.headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(text)) if math.isfinite(float(text)) else None
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(text)
        begin = response.headers.get("date")
        now = parsedate_to_datetime(begin).timestamp() if begin else time.time()
        return max(0.0, (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - now)
    except (TypeError, ValueError):
        return None
