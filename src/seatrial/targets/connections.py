"""How a connection ended before its answer did."""

from __future__ import annotations

import httpx

from seatrial.errors import AnswerError


class ClosedError(AnswerError):
    """The service closed the connection before its answer began."""


def is_closed(error: Exception) -> bool:
    """Whether the other side closed the connection, and did not send something that is no HTTP."""
    gone = isinstance(error, httpx.ReadError | httpx.WriteError)
    return gone or (isinstance(error, httpx.RemoteProtocolError) and "disconnected" in str(error))


def reason(error: Exception) -> str:
    """Return an error's text without a full stop, or its name where it has none."""
    return str(error).rstrip(".")[:200] or type(error).__name__
