"""What is sent under load and how answers are read, by the service's own target.

A target writes its request and reads its answer in its ``step``; what it sends in between goes over the connections of
the load generator. So any target that sends over HTTP can be loaded, and none needs code of its own for it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from seatrial.errors import AnswerError, UsageError
from seatrial.io import frame_json
from seatrial.pipeline import HttpRequest, Key, key_columns
from seatrial.targets.http import JSON, Http
from seatrial.targets.messages import Response, body_of, is_unnamed, message_of
from seatrial.targets.protocol import Target
from seatrial.targets.rest import Rest
from seatrial.targets.shapes.shaped import Shaped


class _SentError(Exception):
    """Ends a target's step where it would send."""

    def __init__(self, request: Request) -> None:
        super().__init__("sent")
        self.request = request


@dataclass(frozen=True)
class Request:
    """A request as a target writes it."""

    body: bytes
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Messages:
    """The requests of a target, and how it reads an answer.

    Attributes:
        path: where all of them go.
        headers: of all of them.
        payloads: the body of each request.
        read: returns the object in the response to the request of this row, raising AnswerError where there is none;
            None where each answer is one JSON object.
    """

    path: str
    headers: Mapping[str, str]
    payloads: Sequence[bytes]
    read: Callable[[int, Response], dict[str, Any]] | None = None


def messages_of(target: Target, rows: pd.DataFrame, columns: Sequence[str], key: Key) -> Messages:
    """Return what a target sends for each of these rows.

    Args:
        target: of the service.
        rows: one a request.
        columns: of the recorded answers, without the key; they name answers that their protocol does not name.
        key: names a request.

    Raises:
        UsageError: the target sends over no HTTP, or more or other than one request for a row.
    """
    http: Any = target  # a target and a client of HTTP at once has no type of its own
    if not isinstance(http, Http):
        raise UsageError(
            f"The load check sends over HTTP, and '{target.url}' is another protocol. Set path in [slo] of "
            "service.toml to a path that takes JSON over HTTP, or predict to the HTTP form of the protocol."
        )
    frames = [rows.iloc[[n]].reset_index(drop=True) for n in range(len(rows))]
    if type(http) is Rest:
        bodies = [text.encode("utf-8", "surrogatepass") for text in frame_json.payloads(rows)]
        return Messages(http.url.raw_path.decode("ascii"), JSON, bodies)
    if isinstance(http, Shaped):  # its hooks run in the worker: all of them in one call
        written = [_posted(http, made) for made in http.write(frames)]
    else:
        written = [_written(http, frame) for frame in frames]
    if len({(each.path, tuple(sorted(each.headers.items()))) for each in written}) != 1:
        raise UsageError(
            "The load check needs requests that differ in their body alone; theirs differ in path or header."
        )

    def read(row: int, response: Response) -> dict[str, Any]:
        told = _answering(http, response).step(frames[row])
        if len(told) != 1:
            raise AnswerError(f"The service gave {len(told):,} answers to 1 request.")
        names = [c for c in told.columns if c not in key_columns(key)]
        if is_unnamed(told) and len(names) == len(columns):
            told = told.rename(columns=dict(zip(names, columns, strict=True)))
        return frame_json.rows(told)[0]

    return Messages(written[0].path, written[0].headers, [each.body for each in written], read)


def _posted(target: Shaped, made: HttpRequest) -> Request:
    """Return a request that a hook or an envelope has written; UsageError where it is none that load can send."""
    method, path, body, headers = message_of(made, "POST", None, None)
    if method != "POST":
        raise UsageError(f"The load check sends POST requests, and those of the hook are {method}.")
    return Request(body or b"", path or target.path, headers or {})


def _written(target: Any, frame: pd.DataFrame) -> Request:
    """Return the request that the target's step would send."""

    def send(
        payload: Any = None, *, path: str | None = None, headers: Mapping[str, str] | None = None, **_: Any
    ) -> Response:
        url = target.url if path is None else target.url.join(path)
        raise _SentError(Request(body_of(payload) or b"", url.raw_path.decode("ascii"), {**JSON, **(headers or {})}))

    try:
        _sending(target, send).step(frame)
    except _SentError as sent:
        return sent.request
    raise UsageError(f"The target of '{target.url}' sends no request for a row by its method send.")


def _answering(target: Any, response: Response) -> Any:
    left = [response]

    def send(*_: Any, **__: Any) -> Response:
        if not left:
            raise AnswerError("Under load, an answer that is fetched later is not waited for.")
        return left.pop()

    return _sending(target, send)


def _sending(target: Any, send: Callable[..., Response]) -> Any:
    """Return a copy of the target that sends by this function."""
    other = copy.copy(target)
    other.send = send
    other.send_all = lambda payloads, **options: [send(each, **options) for each in payloads]
    return other
