"""Reading and writing whole HTTP/1.1 messages on asyncio streams, for the proxy that changes answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

MAX_HEAD_BYTES, MAX_BODY_BYTES = 64 * 2**10, 64 * 2**20
# Of one connection only, or no longer true of a body that was read whole and may have been changed.
_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "proxy-connection",
    "te",
    "upgrade",
    "trailer",
}


class BadMessage(ValueError):
    """What was read is not an HTTP/1.1 message, or is too large."""


@dataclass(frozen=True)
class Message:
    """A request or an answer: its first line, its headers as they came, its body without transfer coding."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of that name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def status(self) -> int:
        """The status of an answer."""
        return int(self.start.split(" ", 2)[1])

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this message."""
        return (self.header("connection") or "").lower() == "close" or "HTTP/1.0" in self.start

    def encode(self, *, close: bool = False) -> bytes:
        """Return the message as bytes, with a content length of its own, and word that the connection ends."""
        kept = [(name, value) for name, value in self.headers if name.lower() not in _HOP]
        bodiless = self.start.startswith("HTTP/") and (self.status < 200 or self.status in (204, 304))
        if not bodiless:
            kept.append(("content-length", str(len(self.body))))
        if close:
            kept.append(("connection", "close"))
        lines = "".join(f"{name}: {value}\r\n" for name, value in kept)
        return f"{self.start}\r\n{lines}\r\n".encode("latin-1") + (b"" if bodiless else self.body)


async def read(reader: asyncio.StreamReader, *, answer_to: str = "") -> Message | None:
    """Read one message, or None where the connection ends before it begins.

    ``answer_to`` is the method of the request when an answer is read. The reader's limit bounds the head.

    Raises:
        BadMessage: not HTTP, cut off, or beyond 64 kB of head or 64 MB of body.
    """
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head[:-4].split("\r\n")
        headers = tuple((name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
        message = Message(start, headers, b"")
        if answer_to and 100 <= message.status < 200:
            return await read(reader, answer_to=answer_to)
        return Message(start, headers, await _body(reader, message, answer_to))
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise BadMessage("the message was cut off") from error
    except (asyncio.LimitOverrunError, ValueError, IndexError) as error:
        raise BadMessage(f"not an HTTP/1.1 message: {error}") from error


async def _body(reader: asyncio.StreamReader, message: Message, answer_to: str) -> bytes:
    if answer_to and (answer_to == "HEAD" or message.status in (204, 304)):
        return b""
    if "chunked" in (message.header("transfer-encoding") or "").lower():
        parts, total = [], 0
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            total += _bounded(size + total) - total
            parts.append((await reader.readexactly(size + 2))[:-2])
        while (await reader.readuntil(b"\r\n")) != b"\r\n":
            pass
        return b"".join(parts)
    length = message.header("content-length")
    if length is not None:
        return await reader.readexactly(_bounded(int(length)))
    return await reader.read(MAX_BODY_BYTES) if answer_to else b""


def _bounded(size: int) -> int:
    if not 0 <= size <= MAX_BODY_BYTES:
        raise BadMessage(f"a body of {size} bytes is out of bounds")
    return size
