"""JSON objects, one a line, over two pipes or a socket, between processes that do not trust each other's lengths."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from typing import Any

from seatrial.errors import IsolationError
from seatrial.io import strict_json

LINE_BYTES = 64 * 2**20
LINE_DEPTH = 64  # levels of nesting in one message


class LineChannel:
    """One end. Any thread may send; one thread receives.

    Args:
        reading: the descriptor that messages come from.
        writing: the descriptor that they go to; it may be the same one.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._sending = threading.Lock()
        self._buffer = bytearray()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one object.

        Raises:
            IsolationError: it is longer than a line may be.
            OSError: the other end is closed.
        """
        line = json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"
        if len(line) > LINE_BYTES:
            raise IsolationError(f"{len(line):,} bytes in one message; a line holds {LINE_BYTES:,}")
        with self._sending:
            left = memoryview(line)
            while left:
                left = left[os.write(self._writing, left) :]

    def receive(self) -> dict[str, Any] | None:
        """Return the next object, or None where the other end is closed.

        Raises:
            IsolationError: a line that is too long, or that is not a JSON object.
        """
        searched = 0
        while (at := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LINE_BYTES:
                raise IsolationError(f"a line of more than {LINE_BYTES:,} bytes")
            try:
                more = os.read(self._reading, 2**18)
            except OSError:  # closed during the call, or reset by the end of the other
                return None
            if not more:
                return None
            self._buffer += more
        line = bytes(self._buffer[:at])
        del self._buffer[: at + 1]
        try:  # Python writes what it reads here: NaN, infinity and lone surrogates are values of answers
            message = strict_json.loads(line, depth=LINE_DEPTH, non_finite=True, any_text=True)
        except ValueError as error:
            raise IsolationError("a line that is not JSON") from error
        if not isinstance(message, dict):
            raise IsolationError("a line that is not a JSON object")
        return message

    def close(self) -> None:
        """Close this end."""
        for descriptor in {self._reading, self._writing}:
            os.close(descriptor)
