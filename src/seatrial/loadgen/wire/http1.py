"""HTTP/1.1 of the load generator: one request at a time on a connection, and its response.

Requests are written by h11, which refuses what cannot be sent; they are made once, before the run. Responses are read
by httptools (llhttp, the parser of Node.js), with which one core offers eight times as many as with h11.
"""

from __future__ import annotations

import asyncio
import math
import re
import zlib
from collections.abc import Mapping
from time import monotonic
from typing import Protocol

import h11
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from seatrial.errors import UsageError

MAX_RESPONSE_BYTES = 64 * 2**20
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_TIMEOUT = re.compile(rb"timeout\s*=\s*(\d{1,6})")
_BODY_HEADERS = {b"content-length", b"transfer-encoding"}  # a response without either ends with its connection


def request_bytes(
    host: str, path: str, body: bytes = b"", *, method: str = "POST", headers: Mapping[str, str] | None = None
) -> bytes:
    r"""Return one request as it goes over the wire.

    Args:
        host: the ``Host`` header, such as ``127.0.0.1:8000``.
        path: with its query string, such as ``/score?debug=1``.
        body: sent as it is; its length is added.
        method: such as ``POST``.
        headers: replace or join the defaults ``Content-Type: application/json`` and ``Accept: */*``.

    Raises:
        UsageError: a path or header that HTTP/1.1 cannot carry, such as one with a line break.

    >>> request_bytes("127.0.0.1:8000", "/health", method="GET", headers={"Content-Type": "text/plain"})
    b'GET /health HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Type: text/plain\r\nAccept: */*\r\n\r\n'
    """
    lines = {"Host": host, "Content-Type": "application/json", "Accept": "*/*"}
    known = {name.lower(): name for name in lines}
    for name, value in (headers or {}).items():  # whatever the case of their letters
        lines[known.setdefault(name.lower(), name)] = value
    if body or method not in ("GET", "DELETE"):
        lines["Content-Length"] = str(len(body))
    connection = h11.Connection(h11.CLIENT)
    try:
        head = connection.send(h11.Request(method=method, target=path, headers=list(lines.items())))
    except (h11.LocalProtocolError, UnicodeEncodeError) as error:
        raise UsageError(
            f"HTTP cannot carry the request '{method} {path}': {error}. Remove spaces and line breaks from its path "
            "and headers, and percent-encode other characters."
        ) from error
    assert head is not None
    return head + body


def decoded(body: bytes, encoding: str) -> bytes:
    """Return a body without its encoding; as it is where that is none, not known here, or not what the header says.

    Args:
        body: as it came; at most ``MAX_RESPONSE_BYTES`` are returned.
        encoding: the ``Content-Encoding``.
    """
    if (window := _WINDOWS.get(encoding)) is None:
        return body
    try:
        return zlib.decompressobj(window).decompress(body, MAX_RESPONSE_BYTES)
    except zlib.error:
        return body


class ConnectionOwner(Protocol):
    """Receives what becomes of a connection and of the request on it.

    Attributes:
        timed: whether the times of the parts of a response are kept.
    """

    timed: bool

    def opened(self, connection: HttpConnection) -> None:
        """Handle a connection that can take its first request."""

    def answered(self, connection: HttpConnection, index: int, status: int, body: bytes, encoding: str) -> None:
        """Handle the whole response to request ``index``, in its encoding; the connection is idle, or closing."""

    def lost(self, connection: HttpConnection, index: int) -> None:
        """Handle a connection that is gone; ``index`` is the request it had not answered, or -1."""


class HttpConnection(asyncio.Protocol):
    """One keep-alive connection, without pipelining.

    Anything that is not HTTP/1.1, is longer than 64 MiB, or was not requested, drops the connection.

    Attributes:
        index: the request under way, or -1.
        idle_since: when its last response was complete, by ``time.monotonic()``.
        idle_seconds: how long the server keeps it open without a request, as its ``Keep-Alive`` header says.
        retry_after: the ``Retry-After`` of the response to the request under way, or of the last one.
    """

    __slots__ = (
        "_arrived",
        "_body",
        "_complete",
        "_encoding",
        "_fields",
        "_framed",
        "_owner",
        "_parser",
        "_reusable",
        "_size",
        "_status",
        "idle_seconds",
        "idle_since",
        "index",
        "retry_after",
        "transport",
    )  # fmt: skip

    def __init__(self, owner: ConnectionOwner) -> None:
        self._owner = owner
        self.index = -1
        self.retry_after = b""
        self.idle_since, self.idle_seconds = 0.0, math.inf
        self.transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._body: list[bytes] = []
        self._encoding = ""
        self._fields: list[tuple[bytes, bytes]] = []
        self._arrived: list[tuple[float, int]] = []
        self._size = self._status = 0
        self._framed = self._complete = self._reusable = False

    def send(self, index: int, data: bytes) -> None:
        """Write request ``index``; the connection must be idle."""
        self.index, self.retry_after = index, b""
        self._fields.clear()
        self._arrived.clear()
        assert self.transport is not None
        self.transport.write(data)

    def close(self) -> None:
        """Drop the connection at once, with the request under way."""
        if self.transport is not None:
            self.transport.abort()

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the last response, by name in lower case."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self._fields}

    def arrived(self, start: float) -> tuple[tuple[float, int], ...]:
        """Return when so many bytes of the last response had arrived, in seconds from ``start``; see ``timed``."""
        return tuple((at - start, size) for at, size in self._arrived)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Report it to the owner."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._owner.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Complete a response that ends with its connection; any other is lost, and what a reset cuts off too."""
        index, self.index = self.index, -1
        if index >= 0 and self._status and not self._framed and error is None:
            self._owner.answered(self, index, self._status, b"".join(self._body), self._encoding)
            index = -1
        self._owner.lost(self, index)

    def data_received(self, data: bytes) -> None:
        """Parse what came in, and report the response once it is complete."""
        self._size += len(data)
        stays = self.index >= 0 and self._size <= MAX_RESPONSE_BYTES
        if stays:
            try:
                self._parser.feed_data(data)
            except (HttpParserError, HttpParserUpgrade):
                stays = False
        self._framed |= not stays  # what is dropped does not end as a response
        if not stays or (self._complete and not self._reusable):
            self.close()
        if self._complete:
            index, status, body, encoding = self.index, self._status, b"".join(self._body), self._encoding
            self.index, self._size, self._status, self._encoding = -1, 0, 0, ""
            self._body.clear()
            self._framed = self._complete = False
            self._owner.answered(self, index, status, body, encoding)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take from the parser what says where the body ends, how it is encoded, and when to send again, or until."""
        lower = name.lower()
        self._fields.append((lower, value))
        if lower in _BODY_HEADERS:
            self._framed = True
        elif lower == b"content-encoding":
            self._encoding = value.decode("latin-1").strip().lower()
        elif lower == b"retry-after":
            self.retry_after = value
        elif lower == b"keep-alive" and (found := _TIMEOUT.search(value)):
            self.idle_seconds = float(found[1])

    def on_headers_complete(self) -> None:
        """Take the status from the parser; after an interim response (1xx) the final one follows."""
        if self._complete:
            raise ValueError("a second response to one request")
        status = self._parser.get_status_code()
        self._status = status if status >= 200 else 0

    def on_body(self, part: bytes) -> None:
        """Take a part of the body from the parser."""
        self._body.append(part)
        if self._owner.timed:
            self._arrived.append((monotonic(), len(part) + (self._arrived[-1][1] if self._arrived else 0)))

    def on_message_complete(self) -> None:
        """Take the end of the response from the parser."""
        self._complete = self._status > 0
        self._reusable = self._parser.should_keep_alive()  # the parser forgets it when the callback returns
