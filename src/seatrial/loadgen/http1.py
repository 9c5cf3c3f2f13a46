"""Just enough HTTP/1.1 to offer load: a request as bytes, and one connection that reads one answer at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from seatrial.errors import UsageError

MAX_ANSWER_BYTES = 64 * 2**20
_BODILESS = (204, 304)
_CHUNKED, _UNTIL_CLOSED = -1, -2


class BadAnswer(ValueError):
    """What came back is not HTTP/1.1."""


def request_bytes(
    host: str, path: str, body: bytes = b"", *, method: str = "POST", headers: Mapping[str, str] | None = None
) -> bytes:
    """Return the request as it goes over the wire; ``headers`` replace the default JSON content type."""
    lines = {"Host": host, "Content-Type": "application/json", "Accept": "*/*", **(headers or {})}
    if body or method not in ("GET", "DELETE"):
        lines["Content-Length"] = str(len(body))
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    if head.count("\r\n") != len(lines) + 1 or "\n" in head.replace("\r\n", "") or " " in path:
        raise UsageError("A path or header with a line break or space cannot be sent.")
    return head.encode("latin-1") + b"\r\n" + body


def parse_head(head: bytes) -> tuple[int, int, bool]:
    """Return the status, the body's length (-1 chunked, -2 until closed) and whether the connection stays."""
    if not head.startswith(b"HTTP/1.") or not head[9:12].isdigit():
        raise BadAnswer("no status line")
    status, low = int(head[9:12]), head.lower()
    keep = b"\r\nconnection: close" not in low and head[7:8] == b"1"
    if status in _BODILESS or 100 <= status < 200:
        return status, 0, keep
    if b"\r\ntransfer-encoding:" in low:
        return status, _CHUNKED, keep
    at = low.find(b"\r\ncontent-length:")
    if at < 0:
        return status, _UNTIL_CLOSED, False
    length = low[at + 17 :].split(b"\r\n", 1)[0].strip()
    if not length.isdigit():
        raise BadAnswer("content-length is no number")
    return status, int(length), keep


def dechunk(data: bytes, at: int) -> bytes | None:
    """Return the chunked body that starts at ``at``, or None while its end is not there yet."""
    parts: list[bytes] = []
    while (end := data.find(b"\r\n", at)) >= 0:
        try:
            size = int(data[at:end].split(b";", 1)[0], 16)
        except ValueError as error:
            raise BadAnswer("chunk without a size") from error
        if size == 0:
            return b"".join(parts) if data.find(b"\r\n\r\n", end) >= 0 else None
        if len(data) < end + 2 + size + 2:
            return None
        parts.append(data[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return None


class Owner(Protocol):
    """Who is told what became of a connection and of the request on it."""

    def opened(self, connection: Connection) -> None:
        """Handle a connection that can take its first request."""

    def answered(self, connection: Connection, index: int, status: int, body: bytes) -> None:
        """Handle a whole answer to request ``index``; the connection is idle, or closing."""

    def lost(self, connection: Connection, index: int) -> None:
        """Handle a connection that is gone; ``index`` is the request it had not answered, or -1."""


class Connection(asyncio.Protocol):
    """One keep-alive connection, without pipelining: one request out, one answer back."""

    __slots__ = ("_body_at", "_buffer", "_keep", "_length", "_owner", "_status", "idle_since", "index", "transport")

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.index = -1
        self.idle_since = 0.0
        self.transport: asyncio.Transport | None = None
        self._clear()

    def _clear(self) -> None:
        self._buffer, self._body_at, self._status, self._length, self._keep = b"", 0, 0, 0, True

    def send(self, index: int, data: bytes) -> None:
        """Write request ``index``."""
        self.index = index
        assert self.transport is not None
        self.transport.write(data)

    def close(self) -> None:
        """Drop the connection at once, whatever it was doing."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the owner."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._owner.opened(self)

    def connection_lost(self, _: Exception | None) -> None:
        """Finish an answer that ends with the connection; otherwise the request is lost."""
        index, self.index = self.index, -1
        if index >= 0 and self._body_at and self._length == _UNTIL_CLOSED:
            self._owner.answered(self, index, self._status, self._buffer[self._body_at :])
            index = -1
        self._owner.lost(self, index)

    def data_received(self, data: bytes) -> None:
        """Collect the answer; anything that is not HTTP, or was not asked for, drops the connection."""
        self._buffer = self._buffer + data if self._buffer else data
        if self.index < 0 or len(self._buffer) > MAX_ANSWER_BYTES:
            self.close()
            return
        try:
            body = self._body()
        except BadAnswer:
            self.close()
            return
        if body is None:
            return
        index, status, keep = self.index, self._status, self._keep
        self.index = -1
        self._clear()
        if not keep:
            self.close()
        self._owner.answered(self, index, status, body)

    def _body(self) -> bytes | None:
        while not self._body_at:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return None
            self._status, self._length, self._keep = parse_head(self._buffer[: end + 2])
            if 100 <= self._status < 200:
                self._buffer = self._buffer[end + 4 :]  # an interim answer; the real one follows
            else:
                self._body_at = end + 4
        if self._length >= 0:
            whole = self._body_at + self._length
            return self._buffer[self._body_at : whole] if len(self._buffer) >= whole else None
        return dechunk(self._buffer, self._body_at) if self._length == _CHUNKED else None
