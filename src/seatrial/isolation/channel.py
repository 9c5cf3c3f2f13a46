"""JSON objects, one a line, over a socket between two processes that do not trust each other's lengths."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from seatrial.errors import IsolationError
from seatrial.io import strict_json

LINE_BYTES = 64 * 2**20
LINE_DEPTH = 64  # levels of nesting in one message


class LineChannel:
    """One end of the socket. Any thread may send; one thread receives.

    Args:
        end: the socket, open.
        default: turns a value that JSON does not know into one that it does, as ``json.dumps`` calls it.
    """

    def __init__(self, end: socket.socket, default: Callable[[Any], Any] | None = None) -> None:
        self._socket, self._default = end, default
        self._sending = threading.Lock()
        self._buffer = bytearray()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one object.

        Raises:
            IsolationError: it is longer than a line may be.
            OSError: the other end is closed.
        """
        line = json.dumps(message, default=self._default, separators=(",", ":")).encode("ascii") + b"\n"
        if len(line) > LINE_BYTES:
            raise IsolationError(f"{len(line):,} bytes in one message; a line holds {LINE_BYTES:,}")
        with self._sending:
            self._socket.sendall(line)

    def readable(self, seconds: float) -> bool:
        """Whether something can be received within so many seconds."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def receive(self) -> tuple[dict[str, Any], int] | None:
        """Return the next object and how many bytes it took, or None where the other end is closed.

        Raises:
            IsolationError: a line that is too long, or that is not a JSON object.
        """
        searched = 0
        while (at := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LINE_BYTES:
                raise IsolationError(f"a line of more than {LINE_BYTES:,} bytes")
            try:
                more = self._socket.recv(2**18)
            except OSError:  # closed during the call, by this process or by the end of the other
                return None
            if not more:
                return None
            self._buffer += more
        line = bytes(self._buffer[:at])
        del self._buffer[: at + 1]
        try:  # Python writes what it reads here: NaN, infinity and lone surrogates are values of events
            message = strict_json.loads(line, depth=LINE_DEPTH, non_finite=True, any_text=True)
        except ValueError as error:
            raise IsolationError("a line that is not JSON") from error
        if not isinstance(message, dict):
            raise IsolationError("a line that is not a JSON object")
        return message, len(line)

    def close(self) -> None:
        """Close the socket; a thread that receives gets None."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        finally:
            self._socket.close()
