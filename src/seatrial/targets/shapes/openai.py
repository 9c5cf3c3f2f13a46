"""A chat service in OpenAI's schema: ``openai+http://host:port/v1?model=tiny``, answered whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from seatrial.errors import AnswerError, TargetError
from seatrial.io import frame_json
from seatrial.pipeline import Key, key_columns
from seatrial.targets.http import Http
from seatrial.targets.messages import Response
from seatrial.targets.probes.base import DeclaredFields, Expect, Probe, ProbePlan
from seatrial.targets.probes.records import MAX_VALID
from seatrial.targets.rest import keys_of, rows_of, with_keys
from seatrial.targets.shapes.chat import ChatAnswer, assembled, completion
from seatrial.targets.shapes.chat_tokens import has_token
from seatrial.targets.shapes.sse import MEDIA_TYPE, events_in, times_of

ENDPOINT = "/chat/completions"


@dataclass(frozen=True)
class Streamed:
    """A streamed answer.

    Attributes:
        answer: put together from its chunks.
        times: when each chunk with a part of the answer was there, in seconds from when the request was sent.
    """

    answer: ChatAnswer
    times: Sequence[float]


class OpenAIChat(Http):
    """A service of chat completions. A row of requests has the fields of the body: ``messages``, ``tools`` and others.

    The answer to a row has ``content``, ``finish_reason`` and, where there are some, ``tool_calls``: a list of objects
    with ``name`` and ``arguments``. The key stays here.

    Args:
        url: such as ``openai+http://127.0.0.1:8000/v1?model=tiny``; the model is sent where a row has none.
        key: the columns that name a request.
        options: of :class:`~seatrial.targets.http.Http`, such as ``seconds``, ``access`` and ``pace``.
    """

    batch = None

    def __init__(self, url: str, *, key: Key | None = None, **options: Any) -> None:
        super().__init__(url, **options)
        self.key, self.model = key, self.url.params.get("model")
        path = self.url.path.rstrip("/")
        own = path if path.endswith(ENDPOINT) else f"{path or '/v1'}{ENDPOINT}"
        self.url = self.url.copy_with(path=own, query=None)

    def __enter__(self) -> OpenAIChat:
        super().__enter__()
        return self

    def bodies(self, requests: pd.DataFrame) -> list[dict[str, Any]]:
        """Return the body of each request: its fields without the key and without those that are null."""
        names = {*key_columns(self.key or ())}
        told = [json.loads(text) for text in frame_json.payloads(requests)]
        records = [
            {n: v for n, v in r.items() if v is not None and n not in names} for r in told if isinstance(r, dict)
        ]
        return [({"model": self.model} if self.model else {}) | record for record in records]

    def exchange(self, requests: pd.DataFrame, size: int = 1) -> list[Response | TargetError | pd.DataFrame | None]:
        """Send every request and return its answer as a frame of one row, or what became of it, in order."""
        assert size == 1, "a chat takes one request at a time"
        found: list[Any] = []
        for told in self.send_all(self.bodies(requests)):
            if isinstance(told, Response) and told.ok:
                try:
                    found.append(pd.DataFrame([completion(told.json()).row]))
                except AnswerError as error:
                    found.append(error)
            else:
                found.append(told)
        return found

    def step(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Send every row and return the answers, one row each, in order.

        Raises:
            TargetError: a request was not answered, or with another status than success.
        """
        rows = rows_of(self.exchange(frame))
        return frame_json.read(with_keys(rows, keys_of(frame, self.key), self.key), pd.DataFrame())

    def exchange_streamed(self, requests: pd.DataFrame) -> list[Streamed | Response | TargetError | None]:
        """Send every request with ``"stream": true`` and return the answers, or what became of them, in order."""
        bodies = [{**body, "stream": True} for body in self.bodies(requests)]
        return [_streamed(told) for told in self.send_all(bodies, headers={"accept": MEDIA_TYPE})]

    def probe_plan(self, requests: pd.DataFrame) -> ProbePlan:
        """Return the contract check's requests: chats, and what a service of chats refuses."""
        records = self.bodies(requests.iloc[:MAX_VALID])

        def probes(at: int, _: DeclaredFields) -> Iterator[Probe]:
            return chat_probes(records[at])

        return ProbePlan(
            self.url.path, [frame_json.as_text(r).encode() for r in records], probes, records, "nothing", read=_form
        )


def chat_probes(record: Mapping[str, Any]) -> Iterator[Probe]:
    """Yield requests with one error each. What services of chats treat differently needs no more than no crash."""
    plain = json.dumps(record).encode()

    def changed(**fields: Any) -> bytes:
        return json.dumps({**record, **fields}).encode()

    without = json.dumps({n: v for n, v in record.items() if n != "messages"}).encode()
    for description, body in (
        ("an empty body", b""), ("null in place of a request", b"null"), ("an empty list in place of a request", b"[]"),
        ("half a request", plain[: len(plain) // 2]),
    ):  # fmt: skip
        yield Probe("malformed", description, body)
    yield Probe("missing", "a request without messages", without, field_name="messages")
    for name, description, body, expect in (
        ("messages", "text in place of messages", changed(messages="hello"), Expect.REFUSE),
        ("messages", "a message without a role", changed(messages=[{"content": "hello"}]), Expect.REFUSE),
        ("messages", "no messages", changed(messages=[]), Expect.EITHER),
        ("messages", "a message of an unknown role", changed(messages=[{"role": "x", "content": "y"}]), Expect.EITHER),
        ("temperature", "a temperature that is text", changed(temperature="hot"), Expect.REFUSE),
        ("temperature", "a temperature of -1", changed(temperature=-1), Expect.EITHER),
        ("max_tokens", "max_tokens of -1", changed(max_tokens=-1), Expect.EITHER),
        ("stream", "a stream that is text", changed(stream="perhaps"), Expect.EITHER),
    ):
        yield Probe("dtype-coercion", description, body, expect, field_name=name)


def _form(response: Response) -> Any:
    """Return what of an answer is the same each time: its text may be drawn."""
    if response.headers.get("content-type", "").startswith(MEDIA_TYPE):
        return {"finish_reason": assembled(events_in(response.body)).finish_reason}
    return {"finish_reason": completion(response.json()).finish_reason}


def _streamed(told: Response | TargetError | None) -> Streamed | Response | TargetError | None:
    if not isinstance(told, Response) or not told.ok:
        return told
    kind = told.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != MEDIA_TYPE:
        what = f"'{kind[:60]}'" if kind else "of no type"
        return AnswerError(f"A stream was asked for, and the answer is {what}, not {MEDIA_TYPE}.")
    try:
        events = events_in(told.body)
        times = [at for at, event in zip(times_of(events, told.arrived), events, strict=True) if has_token(event)]
        return Streamed(assembled(events), times)
    except AnswerError as error:
        return error
