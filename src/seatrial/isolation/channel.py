"""JSON objects, one a line, over a socket between two processes, of which neither trusts the other's lengths."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from seatrial.errors import IsolationError

LINE_BYTES = 64 * 2**20


class LineChannel:
    """One end of the line. Any thread may send; one receives."""

    def __init__(self, end: socket.socket, default: Callable[[Any], Any] | None = None) -> None:
        self._socket, self._default = end, default
        self._sending = threading.Lock()
        self._left = bytearray()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one object.

        Raises:
            IsolationError: it is longer than a line may be.
            OSError: nobody is there any more.
        """
        line = json.dumps(message, default=self._default, separators=(",", ":")).encode("ascii") + b"\n"
        if len(line) > LINE_BYTES:
            raise IsolationError(f"{len(line):,} bytes in one message; a line holds {LINE_BYTES:,}")
        with self._sending:
            self._socket.sendall(line)

    def waiting(self, seconds: float) -> bool:
        """Whether something is there to be received, within the time."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def receive(self) -> tuple[dict[str, Any], int] | None:
        """Return the next object and how many bytes it took, or None where the other end is closed.

        Raises:
            IsolationError: a line that is too long, or no JSON object.
        """
        looked = 0
        while (at := self._left.find(b"\n", looked)) < 0:
            looked = len(self._left)
            if looked > LINE_BYTES:
                raise IsolationError(f"a line of more than {LINE_BYTES:,} bytes")
            try:
                more = self._socket.recv(2**18)
            except OSError:  # closed under our hands, by us or by the end of the other process
                return None
            if not more:
                return None
            self._left += more
        line = bytes(self._left[:at])
        del self._left[: at + 1]
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, an endless number, nested without end
            raise IsolationError("a line that is no JSON") from error
        if not isinstance(message, dict):
            raise IsolationError("a line that is no JSON object")
        return message, len(line)

    def close(self) -> None:
        """Hang up; a thread that receives is told None."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        finally:
            self._socket.close()
