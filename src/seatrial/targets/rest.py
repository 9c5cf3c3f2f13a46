"""Any service that takes a JSON object for a request and answers one: ``rest+http://host:port/score``."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
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
            answers = answers_of(self.send(batch_of(texts), path=self.batch), len(texts), batch=True)
        else:
            answers = rows_of(self.send_all(texts))
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


def answers_of(
    response: Response, *asked: int, columns: Collection[str] = (), batch: bool = False
) -> list[dict[str, Any]]:
    """Return the objects of one response; AnswerError unless there is one for each request.

    The answer to several requests is a list, or an envelope: an object with one such list and any other fields. The
    answer to one request is one object, whatever lists it holds; it is an envelope only where the columns are those
    of the one object in its list, and none is its own.

    Args:
        response: what came back.
        asked: how many objects; several numbers are several that will do, such as where some requests have no answer.
        columns: of the expected answers, without the key.
        batch: the request was a list, even if it held one object.
    """
    if not response.ok:
        raise AnswerError(f"The service answered {response.status}.")
    told = response.json()
    if isinstance(told, Mapping):
        inside = list_in(told, asked)
        if max(asked, default=1) <= 1 and not _wraps(told, inside, columns, batch=batch):
            inside = [told]
        told = inside
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


def rows_of(outcomes: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the rows of all answers, each the response to one request or already a frame; raise the first error."""
    rows = list[dict[str, Any]]()
    for each in outcomes:
        if isinstance(each, Exception):
            raise each
        if each is None:
            raise AnswerError("Not every request could be sent in time.")
        rows += answers_of(each, 1) if isinstance(each, Response) else frame_json.rows(each)
    return rows


def list_in(told: Mapping[str, Any], asked: Collection[int] = ()) -> list[Any] | None:
    """Return the only list of objects in an envelope such as ``{"results": [...], "model": "3"}``, or None.

    Where it has several such lists, it is the only one with as many objects as were asked for.
    """
    found = [v for v in told.values() if isinstance(v, list) and v and all(isinstance(i, Mapping) for i in v)]
    fitting = found if len(found) == 1 else [v for v in found if len(v) in asked]
    return fitting[0] if len(fitting) == 1 else None


def _wraps(told: Mapping[str, Any], inside: list[Any] | None, columns: Collection[str], *, batch: bool) -> bool:
    """Whether an answer to one request is an envelope around its object."""
    if inside is None or len(inside) != 1:
        return False
    if not columns:
        return batch
    names = {name.partition(".")[0] for name in columns} | set(columns)
    return not names & set(told) and bool(names & set(inside[0]))


def _record(text: str) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
