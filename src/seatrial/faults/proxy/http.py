"""A reverse proxy between a service and an HTTP dependency, on which response faults are placed."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from seatrial.faults.addresses import DEFAULT_PORTS, addresses_of, scheme_of
from seatrial.faults.messages import BadMessage, ClientSide, Headers, HttpRequest, HttpResponse, ServerSide
from seatrial.faults.proxy.tcp import FaultCounter
from seatrial.faults.responses import ResponseFault
from seatrial.process.event_loop import Background

_BAD_GATEWAY = HttpResponse(502, (), b"The dependency did not respond.", "Bad Gateway")
_MAX_TIMES = 100_000


class HttpProxy:
    """A reverse proxy of ``url`` on a free port of 127.0.0.1; nothing is left behind when its block ends.

    The dependency gets the ``Host`` that belongs to ``url``, and over TLS its name (SNI), whose certificate is
    checked against the authorities of the system, or those of ``SSL_CERT_FILE``. A redirection to the dependency
    itself leads to the proxy.

    Args:
        url: the dependency's; ``https://`` for TLS to it, which its clients do not speak.
        seed: decides which responses and values a fault's share hits.

    Attributes:
        address: host and port of the proxy.
        requests: how many came in so far.
        trouble: why the dependency could not be reached last; empty where it always could.
        times: when the last 100,000 came in, by ``time.monotonic()``; they show retries that come too early.

    Example:
        >>> with HttpProxy("http://127.0.0.1:9000/features", seed=7) as proxy:
        ...     with proxy.fault(Errors(share=0.5)) as hits:
        ...         ...
    """

    def __init__(self, url: str, *, seed: int = 0) -> None:
        self.upstream, self.seed = addresses_of(url)[0], seed
        scheme = scheme_of(url)
        self._tls = ssl.create_default_context() if scheme == "https" else None
        shown = self.upstream.written if self.upstream.port == DEFAULT_PORTS.get(scheme) else str(self.upstream)
        self.host = "localhost" if self.upstream.path else shown
        self._origin = f"{scheme}://{self.host}"
        self.requests, self.trouble = 0, ""
        self.times: deque[float] = deque(maxlen=_MAX_TIMES)
        self._faults: list[tuple[ResponseFault, FaultCounter]] = []

    def __enter__(self) -> HttpProxy:
        self._background = Background(f"reverse proxy of {self.upstream}")
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
                response, asked = None, self._host_of(request)
                request = replace(request, headers=_with(request.headers, "host", self.host))
                if self._faults:  # a response that is compressed cannot be changed
                    request = replace(request, headers=_with(request.headers, "accept-encoding", "identity"))
                if upstream is not None and upstream.reusable:
                    # A dependency may close an idle connection at any time: the request is then sent once more.
                    with contextlib.suppress(ConnectionError):
                        response = await upstream.send(request)
                if response is None:
                    if upstream is not None:
                        upstream.close()
                    upstream = ClientSide(*await self._connected())
                    response = await upstream.send(request) or _BAD_GATEWAY
                assert upstream is not None
                if not await client.write(
                    self._changed(self._led_back(response, asked), number), close=not upstream.reusable
                ):
                    break
        except (OSError, BadMessage):
            with contextlib.suppress(OSError, BadMessage):
                await client.write(_BAD_GATEWAY, close=True)
        finally:
            for connection in (client, upstream):
                if connection is not None:
                    connection.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await self._connect()
        except OSError as error:
            self.trouble = str(error)
            raise

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.upstream.path:
            return await asyncio.open_unix_connection(self.upstream.path)
        named: dict[str, Any] = {"ssl": self._tls, "server_hostname": self.upstream.host} if self._tls else {}
        return await asyncio.open_connection(self.upstream.host, self.upstream.port, **named)

    def _host_of(self, request: HttpRequest) -> str:
        own = f"{self.address[0]}:{self.address[1]}"
        return next((value for name, value in request.headers if name.lower() == "host"), own)

    def _led_back(self, response: HttpResponse, asked: str) -> HttpResponse:
        """Return the response with a redirection to the dependency itself leading to where the client asked."""
        there = response.header("location")
        if there is None or not f"{there}/".startswith(f"{self._origin}/"):
            return response
        return replace(
            response, headers=_with(response.headers, "location", f"http://{asked}{there[len(self._origin) :]}")
        )

    def _changed(self, response: HttpResponse, number: int) -> HttpResponse:
        for fault, hits in self._faults:
            changed = fault.change(response, self.seed, number)
            if changed is not None:
                hits.add()
                response = changed
        return response


def _with(headers: Headers, name: str, value: str) -> Headers:
    return tuple((key, value if key.lower() == name else old) for key, old in headers)
