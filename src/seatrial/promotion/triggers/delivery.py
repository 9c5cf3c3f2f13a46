"""What every webhook delivery must be before its body is read, whoever sends it. Pure: no socket, no clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.io import strict_json

AGE_SECONDS = 300  # in both directions, because clocks differ
HEAD_BYTES, BODY_BYTES = 16_384, 65_536
NOT_AUTHENTIC = "The signature or the token is missing or wrong, or the timestamp is too old."
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


class Refused(Exception):
    """A delivery that is not accepted: the HTTP status, and a reason that reveals nothing to an attacker."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Delivery:
    """An authenticated delivery, and the version that it names.

    Attributes:
        id: the same for each retry of the delivery, and for a replay.
        body_sha: SHA-256 of the body, hex.
        name: of the registered model.
        number: of the version; ``?`` where the sender does not tell.
    """

    id: str
    body_sha: str
    name: str
    number: str


@dataclass(frozen=True)
class Head:
    """The headers of a request whose body may be read."""

    values: Mapping[str, tuple[str, ...]]

    def one(self, name: str) -> str:
        """Return the value of a header, by its lower-case name; empty where it is missing, or given twice."""
        values = self.values.get(name, ())
        return values[0].strip() if len(values) == 1 else ""


Read = Callable[[bytes], Delivery | None]
"""Returns the delivery of a body, None for an event that registers nothing; raises Refused."""

Sender = Callable[[Head, float], Read]
"""What one platform sends: given the head and the time (seconds since 1970), how its body is read. Raises Refused."""


def head_of(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Return the head of a request, before its body is read.

    Raises:
        Refused: 431 or 413 for a head or body that is too long, 415 for a body that is not plain JSON.
    """
    headers = list(headers)
    if sum(len(name) + len(value) for name, value in headers) > HEAD_BYTES:
        raise Refused(431, f"The head of a request is limited to {HEAD_BYTES:,} bytes.")
    given: dict[str, tuple[str, ...]] = {}
    for name, value in headers:
        key = name.decode("latin-1").lower()
        given[key] = (*given.get(key, ()), value.decode("latin-1"))
    head = Head(given)
    if head.one("content-encoding") not in ("", "identity") or len(given.get("content-encoding", ())) > 1:
        raise Refused(415, "A compressed body is not accepted.")
    if head.one("content-type").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "The content type must be application/json.")
    if length := head.one("content-length"):
        if not _SECONDS.fullmatch(length):
            raise Refused(400, "The content length is not a number.")
        if int(length) > BODY_BYTES:
            raise Refused(413, f"The body of a request is limited to {BODY_BYTES:,} bytes.")
    return head


def timely(stamp: str, now: float) -> bool:
    """Return whether a timestamp is one, and at most ``AGE_SECONDS`` from now.

    Example:
        >>> timely("1700000000", 1_700_000_100.0), timely("now", 0.0)
        (True, False)
    """
    return bool(_SECONDS.fullmatch(stamp)) and abs(now - int(stamp)) <= AGE_SECONDS


def payload_of(body: bytes) -> Mapping[str, Any]:
    """Return the object that a body is.

    Raises:
        Refused: 400 for anything else.
    """
    try:
        payload = strict_json.loads(body)
    except ValueError as error:
        raise Refused(400, f"The body is not plain JSON: {error}") from error
    if not isinstance(payload, Mapping):
        raise Refused(400, "The body is not an event.")
    return payload
