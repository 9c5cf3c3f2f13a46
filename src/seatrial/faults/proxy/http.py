"""A reverse proxy between a service and an HTTP dependency, on which response faults are placed."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from urllib.parse import urlsplit, urlunsplit

from seatrial.faults.messages import BadMessage, ClientSide, HttpResponse, ServerSide
from seatrial.faults.proxy.tcp import FaultCounter, address_of
from seatrial.faults.responses import ResponseFault
from seatrial.process.event_loop import Background

_BAD_GATEWAY = HttpResponse(502, (), b"The dependency did not respond.", "Bad Gateway")
_MAX_TIMES = 100_000


class HttpProxy:
    """A reverse proxy of ``url`` on a free port of 127.0.0.1; nothing is left behind when its block ends.

    Args:
        url: the dependency's.
        seed: decides which responses and values a fault's share hits.

    Attributes:
        address: host and port of the proxy.
        requests: how many came in so far.
        times: when the last 100,000 came in, by ``time.monotonic()``; they show retries that come too early.

    Example:
        >>> with HttpProxy("http://127.0.0.1:9000/features", seed=7) as proxy:
        ...     with proxy.fault(Errors(share=0.5)) as hits:
        ...         ...
    """

    def __init__(self, url: str, *, seed: int = 0) -> None:
        self.upstream, self.seed = address_of(url), seed
        self.requests = 0
        self.times: deque[float] = deque(maxlen=_MAX_TIMES)
        self._faults: list[tuple[ResponseFault, FaultCounter]] = []

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
    def fault(self, fault: ResponseFault) -> Iterator[FaultCounter]:
        """Change responses until the block ends; the counter shows how many were changed."""
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
                    # A dependency may close an idle connection at any time: the request is then sent once more.
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
            for connection in (client, upstream):
                if connection is not None:
                    connection.close()

    def _changed(self, response: HttpResponse, number: int) -> HttpResponse:
        for fault, hits in self._faults:
            changed = fault.change(response, self.seed, number)
            if changed is not None:
                hits.add()
                response = changed
        return response
