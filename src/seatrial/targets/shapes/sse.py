"""Server-sent events, as the HTML standard reads them, each with the place in the body where it ended.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from seatrial.errors import AnswerError

MEDIA_TYPE = "text/event-stream"
_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n)")


@dataclass(frozen=True)
class ServerEvent:
    """One event of a stream.

    Attributes:
        data: its text, lines joined by line feeds.
        kind: its type, ``message`` by default.
        end: how many bytes of the body it and what is before it take.
    """

    data: str
    kind: str
    end: int


def events_in(body: bytes) -> list[ServerEvent]:
    r"""Return the events of a whole body; one that no empty line ends is none.

    Raises:
        AnswerError: it is not UTF-8.

    Example:
        >>> events_in(b": hello\ndata: a\ndata: b\n\ndata: c")
        [ServerEvent(data='a\nb', kind='message', end=25)]
    """
    found: list[ServerEvent] = []
    data: list[str] = []
    kind, begin = "", 3 if body.startswith(b"\xef\xbb\xbf") else 0
    for match in _LINE.finditer(body, begin):
        try:
            line = match[1].decode("utf-8")
        except UnicodeDecodeError as error:
            raise AnswerError(f"The stream of events is not UTF-8 at byte {match.start() + error.start:,}.") from error
        if not line:
            if data:
                found.append(ServerEvent("\n".join(data), kind or "message", match.end()))
            data, kind = [], ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
    return found


def times_of(events: Sequence[ServerEvent], arrived: Sequence[tuple[float, int]]) -> list[float]:
    """Return when each event was there: with the part of the body that holds its last byte.

    Args:
        events: of the body.
        arrived: after how many seconds how many bytes of it had arrived.
    """
    sizes = [size for _, size in arrived]
    return [arrived[min(bisect_left(sizes, e.end), len(arrived) - 1)][0] for e in events] if arrived else []
