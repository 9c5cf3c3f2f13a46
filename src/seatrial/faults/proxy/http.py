"""A reverse proxy between the service and a dependency that speaks HTTP, on which answer faults are placed."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from urllib.parse import urlsplit, urlunsplit

from seatrial.faults.messages import MAX_HEAD_BYTES, BadMessage, Message, read
from seatrial.faults.proxy.tcp import FaultCounter, endpoint
from seatrial.faults.responses import AnswerFault
from seatrial.process.event_loop import Background

_BAD_GATEWAY = Message("HTTP/1.1 502 Bad Gateway", (), b"the dependency did not answer")
_KEPT_TIMES = 100_000


class HttpProxy:
    """The proxy for ``url``, on a free port of 127.0.0.1; a context manager that leaves nothing behind.

    ``requests`` counts what the service asked; ``times`` holds when (``time.monotonic()``), the last 100 000,
    so that retries can be counted and those before their time be seen.
    """

    def __init__(self, url: str, *, seed: int = 0) -> None:
        self.upstream, self.seed = endpoint(url), seed
        self.requests = 0
        self.times: deque[float] = deque(maxlen=_KEPT_TIMES)
        self._faults: list[tuple[AnswerFault, FaultCounter]] = []

    def __enter__(self) -> HttpProxy:
        self._background = Background(f"reverse proxy of {self.upstream[0]}:{self.upstream[1]}")
        self._server = self._background.run(self._listen())
        self.address: tuple[str, int] = self._server.sockets[0].getsockname()
        return self

    def __exit__(self, *_: object) -> None:
        self._background.call(self._server.close)
        self._background.stop()

    def through(self, url: str) -> str:
        """Return the dependency's URL with this proxy's address in place of its own."""
        return urlunsplit(urlsplit(url)._replace(netloc=f"{self.address[0]}:{self.address[1]}"))

    @contextmanager
    def fault(self, fault: AnswerFault) -> Iterator[FaultCounter]:
        """Change answers until the block ends; the hits count the answers that were changed."""
        placed = fault, FaultCounter()
        self._background.call(lambda: self._faults.append(placed))
        try:
            yield placed[1]
        finally:
            self._background.call(lambda: self._faults.remove(placed))

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_HEAD_BYTES, backlog=4096)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = out = None
        try:
            while (request := await read(reader)) is not None:
                self.requests += 1
                number = self.requests
                self.times.append(monotonic())
                answer = None
                if there is not None and out is not None and not there.at_eof():
                    # The other side may drop an idle connection just now: unanswered, the request goes out anew.
                    with contextlib.suppress(ConnectionError):
                        answer = await _asked(request, there, out)
                if answer is None:
                    if out is not None:
                        out.close()
                    there, out = await asyncio.open_connection(*self.upstream, limit=MAX_HEAD_BYTES)
                    answer = await _asked(request, there, out) or _BAD_GATEWAY
                last = request.closes or answer.closes or answer is _BAD_GATEWAY
                writer.write(self._changed(answer, number).encode(close=last))
                await writer.drain()
                if last:
                    break
        except (OSError, BadMessage):
            with contextlib.suppress(OSError):
                writer.write(_BAD_GATEWAY.encode(close=True))
        finally:
            for each in (writer, out):
                if each is not None:
                    each.close()

    def _changed(self, answer: Message, number: int) -> Message:
        for fault, hits in self._faults:
            changed = fault.change(answer, self.seed, number)
            if changed is not None:
                hits.add()
                answer = changed
        return answer


async def _asked(request: Message, there: asyncio.StreamReader, out: asyncio.StreamWriter) -> Message | None:
    """Send the request on and return its answer, or None where the connection ended before one began."""
    out.write(request.encode())
    return await read(there, answer_to=request.start.split(" ", 1)[0])
