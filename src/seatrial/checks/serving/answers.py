"""Read the rows of a service's answers: one for a request, several where the stage has them, or none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from seatrial.checks.serving.cross_talk import OtherAnswer, set_apart
from seatrial.errors import AnswerError
from seatrial.io import frame_json
from seatrial.parity.keys import BETWEEN
from seatrial.pipeline import Key, key_columns
from seatrial.targets.messages import Response
from seatrial.targets.rest import answers_of, with_keys

Part = tuple[list[dict[str, Any]], Sequence[Any]]


@dataclass(frozen=True)
class AnswerForm:
    """What an answer holds.

    Attributes:
        key: the columns that name a request.
        several: a request may have several rows.
        columns: of the recorded answers.
        unanswered: the keys of requests that training answered with no row, as :func:`key_id` gives them.
        known: the keys of all requests, as :func:`~seatrial.checks.serving.cross_talk.same_form` gives them.
    """

    key: Key
    several: bool = False
    columns: Collection[str] = ()
    unanswered: Collection[Any] = ()
    known: Collection[tuple[str, ...]] = ()

    def own_rows(
        self, outcome: Response | pd.DataFrame, keys: Sequence[Any], *, batch: bool = False
    ) -> tuple[list[dict[str, Any]], list[OtherAnswer]]:
        """Return the rows that answer the requests with these keys, and the answers with the key of another request.

        Args:
            outcome: the response to one message, or the answers as rows.
            keys: of the requests in the message.
            batch: the message is a batch, even if it holds one request.

        Raises:
            AnswerError: it cannot be told which rows answer which request.
        """
        own, others = list[dict[str, Any]](), list[OtherAnswer]()
        for rows, asked in self._parts(outcome, keys, batch=batch):
            right, wrong = set_apart(rows, asked, self.key, self.known, several=self.several)
            own += right
            others += wrong
        return own, others

    def rows(
        self, outcome: Response | pd.DataFrame, keys: Sequence[Any], *, batch: bool = False
    ) -> list[dict[str, Any]]:
        """Return the rows of the answer to the requests with these keys, each with the key it names, or its request's.

        Raises:
            AnswerError: it cannot be told which rows answer which request.
        """
        return [row for rows, _ in self._parts(outcome, keys, batch=batch) for row in rows]

    def _parts(self, outcome: Response | pd.DataFrame, keys: Sequence[Any], *, batch: bool) -> list[Part]:
        """Return the rows of a message beside the keys of the requests that they answer, as far as they are parted."""
        due = [k for k in keys if key_id(k) not in self.unanswered] if self.unanswered else list(keys)
        if not due and isinstance(outcome, Response) and self._is_none(outcome):
            return []
        if not isinstance(outcome, Response):
            rows = frame_json.rows(outcome)
        elif self.several:
            return self._of_each(outcome, keys)
        else:
            rows = answers_of(outcome, *{len(keys), len(due)}, columns=self._own_columns(), batch=batch)
        told = keys if len(rows) == len(keys) else due
        if len(rows) == len(told):
            return [(with_keys(rows, told, self.key), told)]
        return [(self._named(rows, keys), keys)]

    def _of_each(self, response: Response, keys: Sequence[Any]) -> list[Part]:
        if not response.ok:
            raise AnswerError(f"The service answered {response.status}.")
        told = None if response.status == 204 else response.json()
        if len(keys) == 1:
            return [(self._named(self._inside(told), keys), keys)]
        lists = [v for v in told.values() if isinstance(v, list)] if isinstance(told, Mapping) else [told]
        fitting = [v for v in lists if isinstance(v, list) and len(v) == len(keys)]
        parts = lists[0] if len(lists) == 1 else fitting[0] if len(fitting) == 1 else None
        if not isinstance(parts, list):
            raise AnswerError("The service answered JSON, but no list with the rows of each request.")
        names = key_columns(self.key)
        if all(isinstance(part, Mapping) and set(names) <= set(part) and not self._lists(part) for part in parts):
            return [([dict(part) for part in parts], keys)]
        if len(parts) != len(keys):
            raise AnswerError(f"The service gave {len(parts):,} answers to {len(keys):,} requests.")
        return [(self._named(self._inside(part), [k]), [k]) for part, k in zip(parts, keys, strict=True)]

    def _inside(self, told: Any) -> list[dict[str, Any]]:
        """Return the rows of one request: a list of objects, an object with such a list, one object, or nothing."""
        if told is None:
            return []
        if isinstance(told, list) and all(isinstance(each, Mapping) for each in told):
            return [dict(each) for each in told]
        if not isinstance(told, Mapping):
            raise AnswerError("The service answered JSON, but no object, and no list of objects.")
        lists = self._lists(told)
        if len(lists) > 1:
            raise AnswerError(f"The answer has several lists of rows: {', '.join(lists)}.")
        if not lists:
            return [dict(told)]
        shared = {n: v for n, v in told.items() if n in self.columns and n != lists[0]}
        return [{**shared, **each} for each in told[lists[0]]]

    def _lists(self, told: Mapping[str, Any]) -> list[str]:
        return [
            name for name, value in told.items()
            if name not in self.columns and isinstance(value, list) and all(isinstance(i, Mapping) for i in value)
        ]  # fmt: skip

    def _named(self, rows: Sequence[Mapping[str, Any]], keys: Sequence[Any]) -> list[dict[str, Any]]:
        if len(keys) == 1:
            return with_keys(rows, list(keys) * len(rows), self.key)
        if not all(set(key_columns(self.key)) <= set(row) for row in rows):
            raise AnswerError(
                f"The service gave {len(rows):,} answers to {len(keys):,} requests, and not every one tells its key."
            )
        return [dict(row) for row in rows]

    def _is_none(self, response: Response) -> bool:
        """Whether it says that there is no answer: a refusal, an empty body, nothing, or none of the columns."""
        if 400 <= response.status < 500 or response.status == 204:
            return True
        if response.ok and not response.body.strip():
            return True
        told = response.json() if response.ok else 0
        parts = told if isinstance(told, list) else [told]
        own = self._own_columns()
        return all(part is None or (isinstance(part, Mapping) and not own & set(part)) for part in parts)

    def _own_columns(self) -> set[str]:
        return set(self.columns) - set(key_columns(self.key))


def key_id(key: Any) -> tuple[str, ...]:
    """Return a request's key as texts, which are equal however its values crossed the wire."""
    return tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)


def key_text(key: Any) -> str:
    """Return a request's key as one text; two keys never have the same."""
    parts = key_id(key)
    return parts[0] if len(parts) == 1 else BETWEEN.join(part.replace("/", "//") for part in parts)


def key_ids(frame: pd.DataFrame, key: Key) -> list[tuple[str, ...]]:
    """Return the request's key of each row of a frame, as :func:`key_id` does."""
    columns = [frame[name].astype(str) for name in key_columns(key)]
    return list(zip(*columns, strict=True))
