"""Whole HTTP/1.1 messages over asyncio streams, read and written by h11, for the proxy that changes responses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import h11

MAX_HEAD_BYTES, MAX_BODY_BYTES = 64 * 2**10, 64 * 2**20
_READ_BYTES = 2**16
# Of one connection only, or no longer true of a body that was read whole and may have been changed.
_HOP_BY_HOP = {
    "connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
    "upgrade",
}  # fmt: skip
Headers = tuple[tuple[str, str], ...]


class BadMessage(ValueError):
    """What was read is not an HTTP/1.1 message, or is too large."""


@dataclass(frozen=True)
class HttpRequest:
    """A request: its headers with their names as they came, its body without transfer coding.

    Example:
        >>> HttpRequest("POST", "/features", (("Accept", "*/*"),), b"{}").method
        'POST'
    """

    method: str
    target: str
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True)
class HttpResponse:
    """A response: its headers with their names as they came, its body without transfer coding.

    Example:
        >>> HttpResponse(429, (("Retry-After", "7"),)).header("retry-after")
        '7'
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    reason: str = ""

    def header(self, name: str) -> str | None:
        """Return the first header of that name, in any case; None where there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class ServerSide:
    """The connection of a client: reads its requests and writes the responses to them, one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._method = reader, writer, ""
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)

    async def read(self) -> HttpRequest | None:
        """Return the next request, or None where the connection ends before one begins.

        Raises:
            BadMessage: not HTTP/1.1, cut off, or beyond 64 KiB of head or 64 MiB of body.
        """
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        head = await _next_event(self._http, self._reader)
        if isinstance(head, h11.ConnectionClosed):
            return None
        if self._http.they_are_waiting_for_100_continue:
            self._writer.write(_encoded(self._http, h11.InformationalResponse(status_code=100, headers=[])))
        body = await _body(self._http, self._reader)
        self._method = head.method.decode("ascii")
        return HttpRequest(self._method, head.target.decode("ascii"), _decoded(head), body)

    async def write(self, response: HttpResponse, *, close: bool = False) -> bool:
        """Write a response; return whether the connection can carry another request."""
        bodiless = self._method == "HEAD" or response.status in (204, 304)
        length = response.header("content-length") if bodiless else str(len(response.body))
        framing = [("Content-Length", length)] if length is not None else []
        headers = _end_to_end(response.headers, *framing, *([("Connection", "close")] if close else []))
        head = h11.Response(status_code=response.status, headers=headers, reason=response.reason.encode("latin-1"))
        self._writer.write(_encoded(self._http, head, b"" if bodiless else response.body))
        await self._writer.drain()
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    def close(self) -> None:
        """Close the connection after what has been written."""
        self._writer.close()


class ClientSide:
    """The connection to a server: sends requests to it and reads the responses, one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)

    @property
    def reusable(self) -> bool:
        """Whether another request can be sent: the last one got its response, and neither side ended the connection."""
        states = {self._http.our_state, self._http.their_state}
        return states in ({h11.IDLE}, {h11.DONE}) and not self._reader.at_eof()

    async def send(self, request: HttpRequest) -> HttpResponse | None:
        """Send a request and return its response, or None where the connection ends before one begins.

        Raises:
            BadMessage: the response is not HTTP/1.1, is cut off, or is beyond 64 KiB of head or 64 MiB of body.
            OSError: the connection broke.
        """
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        sized = request.body or request.method in ("POST", "PUT", "PATCH")
        framing = [("Content-Length", str(len(request.body)))] if sized else []
        headers = _end_to_end(request.headers, *framing)
        head = h11.Request(method=request.method, target=request.target, headers=headers)
        self._writer.write(_encoded(self._http, head, request.body))
        first = await self._reader.read(_READ_BYTES)
        if not first:
            return None
        self._http.receive_data(first)
        response = await _next_event(self._http, self._reader)
        while isinstance(response, h11.InformationalResponse):
            response = await _next_event(self._http, self._reader)
        body = await _body(self._http, self._reader)
        reason = response.reason.decode("latin-1")
        return HttpResponse(response.status_code, _decoded(response), body, reason)

    def close(self) -> None:
        """Close the connection after what has been written."""
        self._writer.close()


async def _next_event(http: h11.Connection, reader: asyncio.StreamReader) -> Any:
    try:
        while (event := http.next_event()) is h11.NEED_DATA:
            http.receive_data(await reader.read(_READ_BYTES))
    except h11.RemoteProtocolError as error:
        raise BadMessage(f"This is not an HTTP/1.1 message: {error}.") from error
    return event


async def _body(http: h11.Connection, reader: asyncio.StreamReader) -> bytes:
    parts, size = [], 0
    while isinstance(event := await _next_event(http, reader), h11.Data):
        size += len(event.data)
        if size > MAX_BODY_BYTES:
            raise BadMessage(f"The body is longer than {MAX_BODY_BYTES:,} bytes.")
        parts.append(bytes(event.data))
    if not isinstance(event, h11.EndOfMessage):
        raise BadMessage("The message does not end as HTTP/1.1 ends one.")
    return b"".join(parts)


def _encoded(http: h11.Connection, head: h11.Event, body: bytes = b"") -> bytes:
    events = [head] if isinstance(head, h11.InformationalResponse) else [head, h11.Data(body), h11.EndOfMessage()]
    try:
        return b"".join(http.send(event) or b"" for event in events)
    except h11.LocalProtocolError as error:
        raise BadMessage(f"HTTP/1.1 cannot carry this message: {error}.") from error


def _decoded(head: h11.Request | h11.Response) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items())


def _end_to_end(headers: Headers, *framing: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    """Return the headers that hold for more than one connection, and those of this one, as bytes."""
    end_to_end = [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (*end_to_end, *framing)]
