"""What goes over a wire and what comes back: a payload's bytes, an answer, and its body read as strict JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seatrial.errors import AnswerError, UsageError
from seatrial.io import strict_json
from seatrial.pipeline import HttpRequest

if TYPE_CHECKING:
    import pandas as pd

_UNNAMED = "seatrial.unnamed"
DEPTH = 500  # of an answer: as deep as Python's reader goes beside the frames of a caller


@dataclass(frozen=True)
class Asked:
    """A request as it was sent. ``headers`` are its own: those of :class:`~seatrial.pipeline.access.Access`, which hold
    secrets, are not among them; nor is a user with a password in ``url``.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Response:
    """What a service answered. Header names are in lower case; ``seconds`` is the whole time, body included.

    ``again`` is true where the service closed the first connection without an answer, and answered on a fresh one.
    ``arrived`` says after how many seconds how many bytes of the body, as they crossed the wire, had arrived. ``asked``
    is the request, where the target shows it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    seconds: float
    again: bool = False
    arrived: tuple[tuple[float, int], ...] = field(default=(), repr=False)
    asked: Asked | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """The status is one of success."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the body read as strict JSON (RFC 8259): integers whole, no NaN, no infinity, no name twice.

        Raises:
            AnswerError: it is not JSON; the message says where, and shows nothing of it.
        """
        return read_json(self.body)


def unnamed(answers: pd.DataFrame) -> pd.DataFrame:
    """Mark the columns of answers, all but the key, as numbered by their place: their protocol gives them no names.

    The comparison then takes them in the order of the stage's columns. All others are compared by name.
    """
    answers.attrs[_UNNAMED] = True
    return answers


def is_unnamed(answers: pd.DataFrame) -> bool:
    """Whether the answers were marked by :func:`unnamed`."""
    return bool(answers.attrs.get(_UNNAMED))


def read_json(body: bytes) -> Any:
    """Return a body read as strict JSON; AnswerError says what it is instead."""
    try:
        return strict_json.loads(body, depth=DEPTH, any_text=True)
    except UnicodeDecodeError as error:
        raise AnswerError(f"The answer is not JSON: byte {error.start:,} of it is not UTF-8.") from error
    except json.JSONDecodeError as error:
        what = "it is empty" if not body.strip() else f"{error.msg} at character {error.pos:,} of {len(body):,}"
        raise AnswerError(f"The answer is not JSON: {what}.") from error
    except ValueError as error:
        raise AnswerError(f"The answer is not JSON that can be read: {error}.") from error


def body_of(payload: Any) -> bytes | None:
    """Return a payload as it goes over the wire: bytes and text as they are, anything else as strict JSON."""
    if payload is None or isinstance(payload, bytes):
        return payload
    if isinstance(payload, str):
        return payload.encode("utf-8", "surrogatepass")
    try:
        return json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"A payload cannot be sent as JSON: {error}. Give it as bytes to send it as it is.") from error


def message_of(
    payload: Any, method: str, path: str | None, headers: Mapping[str, str] | None
) -> tuple[str, str | None, bytes | None, Mapping[str, str] | None]:
    """Return method, path, body and headers of a request; those that an ``HttpRequest`` states come first."""
    if not isinstance(payload, HttpRequest):
        return method, path, body_of(payload), headers
    own = {"accept": "*/*", "content-type": payload.content_type, **{n.lower(): v for n, v in payload.headers.items()}}
    body = None if payload.method == "GET" and not payload.body else payload.body
    return payload.method, payload.path or path, body, {**(headers or {}), **own}
