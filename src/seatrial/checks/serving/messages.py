"""What is sent under load and faults and how answers are read, by the service's own target.

A target writes its request and reads its answer in its ``step``; what it sends in between goes over the connections of
the load generator. So any target that sends over HTTP can be loaded, and none needs code of its own for it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from seatrial.checks.serving.expected import Expected
from seatrial.checks.serving.target import target_of
from seatrial.errors import AnswerError, TargetError, UsageError
from seatrial.io import frame_json
from seatrial.pipeline import HttpRequest, Key, key_columns
from seatrial.pipeline.hooks import OWN
from seatrial.process.running import Running
from seatrial.targets.elsewhere import Elsewhere
from seatrial.targets.http import JSON, Http
from seatrial.targets.messages import Response, is_unnamed, message_of
from seatrial.targets.oip.grpc import INFER, OipGrpc
from seatrial.targets.protocol import Target
from seatrial.targets.rest import Rest, keys_of, rows_of, with_keys
from seatrial.targets.shapes.chat import assembled
from seatrial.targets.shapes.openai import OpenAIChat
from seatrial.targets.shapes.shaped import Shaped
from seatrial.targets.shapes.sse import MEDIA_TYPE, events_in
from seatrial.trial import Trial

Read = Callable[[Sequence[int], Sequence[Response]], Sequence[dict[str, Any] | AnswerError]]


class _SentError(Exception):
    """Ends a target's step where it would send."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__("sent")
        self.request = request


@dataclass(frozen=True)
class Messages:
    """The requests of a target, and how it reads answers.

    Attributes:
        requests: one for each row, each with its path.
        origin: where they go, as far as it is known: a target may be at another port than the readiness path.
        read: returns the object in each of these responses to the requests of these rows, or why there is none; None
            where each answer is one JSON object.
        simpler: the same requests without what some services refuse; None where there is nothing.
    """

    requests: Sequence[HttpRequest]
    read: Read | None = None
    origin: str | None = None
    simpler: Sequence[HttpRequest] | None = None


def messages_for(
    trial: Trial, where: Running | Elsewhere, known: Expected, path: str | None, setting: str, *, streamed: bool = False
) -> Messages:
    """Return what is sent to a trial's service: what its target would send, or plain JSON to a path of its own.

    Args:
        trial: whose service it is.
        where: the started service, or where it runs already.
        known: the requests and their recorded answers.
        path: that takes JSON records, where one is set.
        setting: where it is set, such as ``[slo]``.
        streamed: whether the answers are to be streams of tokens.

    Raises:
        UsageError: the service's requests cannot be sent by the load generator.
    """
    if path is not None and not streamed:
        path = where.path(path) if isinstance(where, Elsewhere) else path
        return Messages([HttpRequest(body, "application/json", path, headers=ACCEPT) for body in known.payloads])
    target: Any = target_of(trial.pipeline, where, hooks=trial.replayer)
    if streamed:
        if path is not None or not isinstance(target, OpenAIChat):
            raise UsageError(
                "first_token_ms and per_token_ms in [slo] are for streams of a chat service, whose predict is like "
                "openai+http://127.0.0.1:{port}/v1, without a path in [slo]. Remove them for any other service."
            )
        return _streamed(target, known.requests, trial.pipeline.key)
    columns = [c for c in known.frame.columns if c not in key_columns(trial.pipeline.key)]
    return messages_of(target, known.requests, columns, trial.pipeline.key, setting)


def messages_of(
    target: Target, rows: pd.DataFrame, columns: Sequence[str], key: Key, setting: str = "[slo]"
) -> Messages:
    """Return what a target sends for each of these rows.

    Args:
        target: of the service.
        rows: one a request.
        columns: of the recorded answers, without the key; they name answers that their protocol does not name.
        key: names a request.
        setting: where another path may be set.

    Raises:
        UsageError: the target sends over no HTTP, more than one request for a row, or gets its answers later.
    """
    http: Any = target  # a target and a client of HTTP at once has no type of its own
    other = f"Set path in {setting} of service.toml to a path that takes JSON over HTTP"
    frames = [rows.iloc[[n]].reset_index(drop=True) for n in range(len(rows))]
    grpc = isinstance(http, OipGrpc)
    if not isinstance(http, Http) and not grpc:
        raise UsageError(
            f"Load is sent over HTTP and gRPC, and '{target.url}' is another protocol. {other}, or predict to the HTTP "
            "form of the protocol."
        )
    if isinstance(http, Shaped):
        if http.service.poll_seconds is not None:
            raise UsageError(
                "Under load, one answer is timed for one request, and this service answers 202 and gives its answer "
                f"later. {other} and answers at once, or skip the check."
            )

        def read_shaped(places: Sequence[int], found: Sequence[Response]) -> list[dict[str, Any] | AnswerError]:
            read = zip(places, http.read(found), strict=True)
            return [_object(outcome, frames[row], columns, key) for row, outcome in read]

        return Messages(http.write(frames), read_shaped, origin=origin_of(http))
    if type(http) is Rest:
        texts, path = frame_json.payloads(rows), http.url.raw_path.decode("ascii")
        bodies = [text.encode("utf-8", "surrogatepass") for text in texts]
        requests = [HttpRequest(body, "application/json", path, headers=ACCEPT) for body in bodies]
        return Messages(requests, origin=origin_of(http))

    def read(row: int, response: Response) -> dict[str, Any] | AnswerError:
        try:
            told = _answering(http, response).step(frames[row])
        except AnswerError as error:
            return error
        return _object(told, frames[row], columns, key)

    def read_all(places: Sequence[int], found: Sequence[Response]) -> list[dict[str, Any] | AnswerError]:
        return [read(row, response) for row, response in zip(places, found, strict=True)]

    if grpc:
        calls = [http.payload(frame).SerializeToString() for frame in frames]
        sent = [HttpRequest(call, "application/grpc", INFER) for call in calls]
        return Messages(sent, read_all, origin=origin_of(http))
    return Messages([_written(http, frame) for frame in frames], read_all, origin=origin_of(http))


def origin_of(target: Any) -> str:
    """Return where what a target sends goes, over HTTP or gRPC, without a path."""
    if isinstance(target, OipGrpc):
        return f"grpc://{target.host}"
    return f"{target.url.scheme}://{target.url.netloc.decode('ascii')}"


def _streamed(chat: OpenAIChat, rows: pd.DataFrame, key: Key) -> Messages:
    path, accept = chat.url.raw_path.decode("ascii"), {**ACCEPT, "accept": MEDIA_TYPE}
    asked = keys_of(rows, key)

    def read(places: Sequence[int], found: Sequence[Response]) -> list[dict[str, Any] | AnswerError]:
        told = list[dict[str, Any] | AnswerError]()
        for row, response in zip(places, found, strict=True):
            try:
                told += with_keys([assembled(events_in(response.body)).row], [asked[row]], key)
            except AnswerError as error:
                told.append(error)
        return told

    plain = [{**body, "stream": True} for body in chat.bodies(rows)]
    counted = [{"stream_options": {"include_usage": True}, **body} for body in plain]  # a part may hold several tokens
    simpler, requests = (
        [HttpRequest.json(body, path=path, headers=accept) for body in bodies] for bodies in (plain, counted)
    )
    return Messages(requests, read, origin=origin_of(chat), simpler=simpler)


ACCEPT = {name: value for name, value in JSON.items() if name not in OWN}


def _object(outcome: Any, asked: pd.DataFrame, columns: Sequence[str], key: Key) -> dict[str, Any] | AnswerError:
    """Return the one object in what a response holds: a frame, an error, or the response itself where it is JSON."""
    if isinstance(outcome, pd.DataFrame):
        names = [c for c in outcome.columns if c not in key_columns(key)]
        if is_unnamed(outcome) and len(names) == len(columns):
            outcome = outcome.rename(columns=dict(zip(names, columns, strict=True)))
    try:
        told = rows_of([outcome])
    except TargetError as error:
        return error if isinstance(error, AnswerError) else AnswerError(str(error))
    if len(told) != 1:
        return AnswerError(f"The service gave {len(told):,} answers to 1 request.")
    return with_keys(told, keys_of(asked, key), key)[0]


def _written(target: Any, frame: pd.DataFrame) -> HttpRequest:
    """Return the request that the target's step would send."""

    def send(
        payload: Any = None, *, path: str | None = None, method: str = "POST",
        headers: Mapping[str, str] | None = None, **_: Any,
    ) -> Response:  # fmt: skip
        method, path, body, own = message_of(payload, method, path, headers)
        url = target.url if path is None else target.url.join(path)
        sent = {name.lower(): value for name, value in {**JSON, **(own or {})}.items()}
        kind = sent.pop("content-type")
        others = {name: value for name, value in sent.items() if name not in OWN}
        raise _SentError(HttpRequest(body or b"", kind, url.raw_path.decode("ascii"), method, others))

    try:
        _sending(target, send).step(frame)
    except _SentError as sent:
        return sent.request
    raise UsageError(f"The target of '{target.url}' sends no request for a row by its method send.")


def _answering(target: Any, response: Response) -> Any:
    return _sending(target, lambda *_, **__: response)


def _sending(target: Any, send: Callable[..., Response]) -> Any:
    """Return a copy of the target that sends by this function."""
    other = copy.copy(target)
    other.send = send
    other.send_all = lambda payloads, **options: [send(each, **options) for each in payloads]
    return other
