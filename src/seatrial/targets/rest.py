"""Any service that takes a JSON object for a request and answers one: ``rest+http://host:port/score``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from seatrial.errors import AnswerError, TargetError
from seatrial.io import frame_json
from seatrial.pipeline import Key, key_columns
from seatrial.targets.http import Http
from seatrial.targets.messages import Response
from seatrial.targets.probes.base import ProbePlan
from seatrial.targets.probes.records import Envelope, plan_of_records


class Rest(Http):
    """A JSON service. One request is one object; with ``batch``, a path that takes a list of them.

    Args:
        url: where one request goes, with or without ``rest+`` before it.
        key: the field that names a request, in requests and answers; a tuple of fields where several do.
        batch: the path that takes a list of requests and answers a list, or an object with one list in it.
        options: ``seconds``, ``limit_bytes`` and ``connections`` of :class:`~seatrial.targets.http.Http`.
    """

    def __init__(self, url: str, *, key: Key | None = None, batch: str | None = None, **options: Any) -> None:
        super().__init__(url, **options)
        self.key, self.batch = key, batch

    def __enter__(self) -> Rest:
        super().__enter__()
        return self

    def step(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Send every row, in one batch where the service takes one, and return the answers, one row each, in order.

        Rows are requests as they arrive: a ``payload`` column of JSON text, or one column a field. An answer
        without the key gets that of its request.

        Raises:
            TargetError: a request was not answered, or with another status than success.
        """
        texts = frame_json.payloads(frame)
        if self.batch and texts:
            answers = answers_of(self.send(batch_of(texts), path=self.batch), len(texts))
        else:
            answers = [answers_of(told, 1)[0] for told in _whole(self.send_all(texts))]
        keyed = with_keys(answers, keys_of(frame, self.key), self.key)
        return frame_json.read(keyed, pd.DataFrame())

    def exchange(self, requests: pd.DataFrame, size: int = 1) -> list[Response | TargetError | None]:
        """Send every request, ``size`` of them in one message, and return what became of each message, in order."""
        texts = frame_json.payloads(requests)
        if size == 1:
            return self.send_all([text.encode() for text in texts])
        bodies = [batch_of(texts[at : at + size]) for at in range(0, len(texts), size)]
        return self.send_all(bodies, path=self.batch)

    def exchange_together(self, requests: Sequence[pd.DataFrame]) -> list[Response | TargetError | None]:
        """Send every request, of several rows each, as a list of objects, and return what became of each, in order."""
        return self.send_all([batch_of(frame_json.payloads(rows)) for rows in requests])

    def probe_plan(self, requests: pd.DataFrame) -> ProbePlan:
        """Return the contract check's requests: JSON records, declared by the service's OpenAPI."""
        return plan_of_records(self.url.raw_path.decode("ascii"), requests, Envelope())


def answers_of(response: Response, *asked: int) -> list[dict[str, Any]]:
    """Return the objects of one response; AnswerError unless there is one for each request.

    Several numbers are several that will do, such as where some of the requests have no answer.
    """
    if not response.ok:
        raise AnswerError(f"The service answered {response.status}.")
    told = response.json()
    if isinstance(told, Mapping):
        inside = list_in(told)
        told = [told] if 1 in asked and inside is None else inside
    if not isinstance(told, list) or not all(isinstance(each, Mapping) for each in told):
        raise AnswerError("The service answered JSON, but no object for each request.")
    if len(told) not in asked:
        raise AnswerError(f"The service gave {len(told):,} answers to {max(asked):,} requests.")
    return [dict(each) for each in told]


def batch_of(texts: Sequence[str]) -> bytes:
    """Return requests, each as JSON text, as the body of one batch; every text goes as it stands."""
    return f"[{','.join(texts)}]".encode("utf-8", "surrogatepass")


def keys_of(frame: pd.DataFrame, key: Key | None) -> list[Any]:
    """Return each request's key, a tuple where it has several columns; None where it has none."""
    if key is None:
        return [None] * len(frame)
    names = key_columns(key)
    if set(names) <= set(frame.columns):
        rows: Iterable[Mapping[str, Any]] = frame_json.rows(frame[list(names)])
    elif list(frame.columns) == [frame_json.PAYLOAD]:
        rows = (_record(text) for text in frame[frame_json.PAYLOAD])
    else:
        return [None] * len(frame)
    if isinstance(key, str):
        return [row.get(key) for row in rows]
    return [None if None in (k := tuple(row.get(name) for name in names)) else k for row in rows]


def with_keys(answers: Sequence[Mapping[str, Any]], keys: Sequence[Any], key: Key | None) -> list[dict[str, Any]]:
    """Return the answers with their request's key where they do not tell one themselves."""
    if key is None:
        return [dict(answer) for answer in answers]
    names = key_columns(key)
    own = [(k,) if isinstance(key, str) else k or (None,) * len(names) for k in keys]
    return [{**dict(zip(names, k, strict=True)), **answer} for answer, k in zip(answers, own, strict=True)]


def _whole(told: Sequence[Any]) -> list[Response]:
    """Return the responses; raise the first error among them."""
    for each in told:
        if isinstance(each, Exception):
            raise each
        if each is None:
            raise AnswerError("Not every request could be sent in time.")
    return list(told)


def list_in(told: Mapping[str, Any]) -> list[Any] | None:
    """Return the only list of objects in an envelope such as ``{"results": [...]}``, or None."""
    found = [v for v in told.values() if isinstance(v, list) and v and all(isinstance(i, Mapping) for i in v)]
    return found[0] if len(found) == 1 and len(told) <= 3 else None


def _record(text: str) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
