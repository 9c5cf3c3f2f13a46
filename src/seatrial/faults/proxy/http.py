"""A reverse proxy between the service and a dependency that speaks HTTP, on which answer faults are placed."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from urllib.parse import urlsplit, urlunsplit

from seatrial.faults.messages import BadMessage, ClientSide, HttpResponse, ServerSide
from seatrial.faults.proxy.tcp import FaultCounter, endpoint
from seatrial.faults.responses import AnswerFault
from seatrial.process.event_loop import Background

_BAD_GATEWAY = HttpResponse(502, (), b"the dependency did not answer", "Bad Gateway")
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
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client, upstream = ServerSide(reader, writer), None
        try:
            while (request := await client.read()) is not None:
                self.requests += 1
                number = self.requests
                self.times.append(monotonic())
                response = None
                if upstream is not None and upstream.reusable:
                    # The dependency may drop an idle connection just now: unanswered, the request is sent anew.
                    with contextlib.suppress(ConnectionError):
                        response = await upstream.send(request)
                if response is None:
                    if upstream is not None:
                        upstream.close()
                    upstream = ClientSide(*await asyncio.open_connection(*self.upstream))
                    response = await upstream.send(request) or _BAD_GATEWAY
                assert upstream is not None
                if not await client.write(self._changed(response, number), close=not upstream.reusable):
                    break
        except (OSError, BadMessage):
            with contextlib.suppress(OSError, BadMessage):
                await client.write(_BAD_GATEWAY, close=True)
        finally:
            for side in (client, upstream):
                if side is not None:
                    side.close()

    def _changed(self, response: HttpResponse, number: int) -> HttpResponse:
        for fault, hits in self._faults:
            changed = fault.change(response, self.seed, number)
            if changed is not None:
                hits.add()
                response = changed
        return response
