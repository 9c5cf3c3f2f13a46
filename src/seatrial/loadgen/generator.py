"""The open-loop client on its event loop: when each request is sent, on which connection, and how it ends."""

from __future__ import annotations

import asyncio
import errno
import math
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

import numpy as np

from seatrial.errors import TargetError
from seatrial.loadgen.http1 import HttpConnection, decoded
from seatrial.loadgen.results import ANSWERED, BROKEN, REFUSED, TIMED_OUT, UNSENT, LoadRun, RequestResult
from seatrial.loadgen.schedule import Schedule

# Servers drop idle connections, uvicorn after 5 s and gunicorn after 2 s; a race lost to that is not the service's.
_IDLE_SECONDS, _IDLE_SHARE = 1.0, 0.5  # or of what the server says
# Out of descriptors, ports or memory: a limit of this machine, and no refusal of the service.
_LOCAL_ERRORS = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
_GRACE_SECONDS = 5.0
ODD = 10_000  # responses that are kept because they lack what is expected
_WAITS, _WAIT_BYTES = 100, 40  # different texts of Retry-After that are kept, and of each
_BATCH = 32  # requests sent before responses are read again


class Generator:
    """One run of one schedule.

    Times inside are those of ``time.monotonic()``; the result counts from the start of the schedule. The columns are
    lists until the end: to read one element of an array costs ten times more.

    Args:
        host: such as ``127.0.0.1``.
        port: where the service listens.
        requests: as they go over the wire, from :func:`~seatrial.loadgen.http1.request_bytes`.
        order: the place in ``requests`` and ``expect`` for each request of the schedule; used in turn.
        tls: the context of HTTPS; None for HTTP.
        timeout: in seconds, from when a request was due.
        connections: the most that are open at once.
        keep: indices of requests whose responses are returned.
        expect: what the body of each successful response contains, used in turn; otherwise it is returned too.
    """

    def __init__(
        self,
        host: str,
        port: int,
        requests: list[bytes],
        *,
        timeout: float,
        connections: int,
        keep: frozenset[int],
        order: Sequence[int],
        expect: Sequence[bytes] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host, self.port, self.requests = host, port, requests
        self.timeout, self.max_connections, self.keep = timeout, connections, keep
        self.expect, self.odd, self.order, self.tls = expect, 0, order, tls
        self.due: list[float] = []
        self.sent: list[float] = []
        self.done: list[float] = []
        self.status: list[int] = []
        self.outcome: list[int] = []
        self.answers: list[RequestResult] = []
        self.retry_after: dict[str, None] = {}
        self.open: set[HttpConnection] = set()
        self.idle: list[HttpConnection] = []
        self.busy: dict[int, HttpConnection] = {}
        self.waiting: deque[int] = deque()
        self.connecting: set[asyncio.Task[None]] = set()
        self.waited = self.next = self.ended = self.oldest = 0

    async def run(self, schedule: Schedule, start_at: float | None) -> LoadRun:
        """Send everything, wait until every request has ended, and close every connection.

        Args:
            schedule: when each request is due.
            start_at: the moment, by ``time.monotonic()``, from which the schedule counts; at once by default.

        Raises:
            TargetError: nothing listens before the first request is due.
        """
        self.loop, self.finished = asyncio.get_running_loop(), asyncio.Event()
        try:
            await self.loop.create_connection(lambda: HttpConnection(self), self.host, self.port, ssl=self.tls)
        except OSError as error:
            if isinstance(error, ssl.SSLError):
                raise TargetError(f"No TLS with {self.host}:{self.port}: {error}.") from error
            raise TargetError(f"Nothing listens at {self.host}:{self.port}: {error.strerror or error}.") from error
        start = monotonic() + 0.01 if start_at is None else start_at
        self.due = (schedule.at + start).tolist()
        count, connections = len(self.due), self.max_connections
        self.sent, self.done = [math.nan] * count, [math.nan] * count
        self.status, self.outcome = [0] * count, [UNSENT] * count
        self.loop.call_at(self.due[0], self._tick)
        self.loop.call_at(self.due[0] + self.timeout, self._expire)
        latest = self.due[-1] + self.timeout + _GRACE_SECONDS
        try:
            with suppress(TimeoutError):  # what has not ended by then counts as never sent
                await asyncio.wait_for(self.finished.wait(), latest - monotonic())
        finally:
            self.max_connections = 0
            for task in list(self.connecting):
                task.cancel()
            for connection in list(self.open):
                connection.close()
            await asyncio.sleep(0)
        return LoadRun(
            schedule.at,
            np.asarray(self.sent) - start,
            np.asarray(self.done) - start,
            np.asarray(self.status, dtype=np.int16),
            np.asarray(self.outcome, dtype=np.uint8),
            connections=connections,
            waited=self.waited,
            retry_after=tuple(self.retry_after),
            answers=tuple(sorted(self.answers, key=lambda answer: answer.index)),
        )

    def _tick(self) -> None:
        last = min(self.next + _BATCH, len(self.due))
        while self.next < last and self.due[self.next] <= (now := monotonic()):
            index = self.next
            self.next += 1
            self.sent[index] = now
            self._dispatch(index, now)
        if self.next < len(self.due):
            self.loop.call_at(self.due[self.next], self._tick)

    def _dispatch(self, index: int, now: float) -> None:
        while self.idle:
            connection = self.idle.pop()  # the one used last: few stay in use, the others idle and are closed
            if now - connection.idle_since < min(_IDLE_SECONDS, _IDLE_SHARE * connection.idle_seconds):
                self._send(connection, index)
                return
            connection.close()
        self.waiting.append(index)
        self._open_more()
        self.waited += len(self.waiting) > len(self.connecting)

    def _send(self, connection: HttpConnection, index: int) -> None:
        self.busy[index] = connection
        connection.send(index, self.requests[self.order[index % len(self.order)]])

    def _open_more(self) -> None:
        while len(self.connecting) < len(self.waiting) and len(self.connecting) + len(self.open) < self.max_connections:
            self.connecting.add(self.loop.create_task(self._connect()))

    async def _connect(self) -> None:
        try:
            await self.loop.create_connection(lambda: HttpConnection(self), self.host, self.port, ssl=self.tls)
        except OSError as error:
            if self.waiting:
                index = self.waiting.popleft()
                if error.errno in _LOCAL_ERRORS:
                    self.sent[index] = math.nan
                self._end(index, UNSENT if error.errno in _LOCAL_ERRORS else REFUSED)
        finally:
            if (task := asyncio.current_task()) is not None:
                self.connecting.discard(task)
            self._open_more()  # requests that fell due meanwhile waited for this one

    def opened(self, connection: HttpConnection) -> None:
        """Give a new connection its first request."""
        self.open.add(connection)
        self._free(connection)

    def answered(self, connection: HttpConnection, index: int, status: int, body: bytes, encoding: str = "") -> None:
        """Record a response; a request that has expired stays expired."""
        if self.busy.pop(index, None) is None:
            return
        self.status[index] = status
        if status == 429 and connection.retry_after and len(self.retry_after) < _WAITS:
            self.retry_after[connection.retry_after[:_WAIT_BYTES].decode("latin-1").strip()] = None
        if index in self.keep:
            self.answers.append(RequestResult(index, status, decoded(body, encoding), connection.headers))
        elif (
            self.expect
            and 200 <= status < 300
            and self.expect[self.order[index % len(self.order)]] not in (body := decoded(body, encoding))
        ):
            if self.odd < ODD:
                self.answers.append(RequestResult(index, status, body, connection.headers, sampled=False))
            self.odd += 1
        self._end(index, ANSWERED)
        self._free(connection)

    def lost(self, connection: HttpConnection, index: int) -> None:
        """Record the request of a broken connection as lost; it may have had its effect, so it is never sent again."""
        self.open.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        if index >= 0 and self.busy.pop(index, None) is not None:
            self._end(index, BROKEN)
        self._open_more()

    def _free(self, connection: HttpConnection) -> None:
        if connection.transport is None or connection.transport.is_closing():
            return
        if self.waiting:
            self._send(connection, self.waiting.popleft())
        else:
            connection.idle_since = monotonic()
            self.idle.append(connection)

    def _end(self, index: int, outcome: int) -> None:
        self.done[index], self.outcome[index] = monotonic(), outcome
        self.ended += 1
        if self.ended == len(self.due):
            self.finished.set()

    def _expire(self) -> None:
        # One time-out for all: requests expire in the order they were due, so one pointer is enough.
        now = monotonic()
        while self.oldest < self.next and self.due[self.oldest] + self.timeout <= now:
            index, self.oldest = self.oldest, self.oldest + 1
            if not math.isnan(self.done[index]):
                continue
            if (connection := self.busy.pop(index, None)) is not None:
                connection.close()
            else:
                self.waiting.remove(index)
            self._end(index, TIMED_OUT)
        if self.oldest < len(self.due):
            self.loop.call_at(max(self.due[self.oldest] + self.timeout, now + 0.001), self._expire)
