"""JSON services whose requests and answers stand in an envelope that is declared by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from seatrial.errors import AnswerError, nearest
from seatrial.io import frame_json
from seatrial.pipeline import HttpRequest, Key, key_columns
from seatrial.pipeline.envelopes import ANSWERS, WITHOUT_KEY, split_envelope
from seatrial.targets.messages import read_json, unnamed
from seatrial.targets.mlflow import columns_of

ONE = "object"  # the envelope that is none: one record is the body


@dataclass(frozen=True)
class NamedEnvelope:
    """What JSON requests and answers stand in.

    Attributes:
        requests: the form or field of the requests, one of ``pipeline.envelopes.ANSWERS`` or a field's own name.
        answers: the field of the answers; empty where they are the whole body.
        key: the columns that name a request; model servers do not get them.

    Example:
        >>> NamedEnvelope("instances", "predictions", ("id",)).body(pd.DataFrame({"id": ["a"], "x": [1]}))
        '{"instances":[{"x":1}]}'
    """

    requests: str
    answers: str
    key: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, key: Key | None) -> NamedEnvelope:
        """Return the envelope of this name; see ``seatrial.pipeline.envelopes``."""
        return cls(*split_envelope(name), key_columns(key or ()))

    @property
    def takes_batches(self) -> bool:
        """Whether a request has room for several rows."""
        return self.requests != ONE

    @property
    def around_record(self) -> tuple[str, str] | None:
        """The text before and after a record in a request; None where a request holds no record."""
        if self.requests in ("dataframe_split", "values"):
            return None
        if self.requests in (ONE, "list"):
            return ("", "") if self.requests == ONE else ("[", "]")
        return f"{{{json.dumps(self.requests)}:[", "]}"

    def inputs(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows as they are sent: without the key, where the envelope is that of a model server."""
        if self.requests not in WITHOUT_KEY:
            return rows
        if list(rows.columns) != [frame_json.PAYLOAD]:
            return rows.drop(columns=[c for c in self.key if c in rows.columns])
        return pd.DataFrame({frame_json.PAYLOAD: [frame_json.as_text(r) for r in self._records(rows)]}, dtype="string")

    def body(self, rows: pd.DataFrame) -> str:
        """Return the text of a request for these rows."""
        if self.requests == ONE and len(rows) == 1:
            return frame_json.payloads(rows)[0]
        records = self._records(rows)
        if self.requests in ("instances", "inputs"):
            records = [_value(record) for record in records]
        if self.requests == "dataframe_split":
            names = list(dict.fromkeys(name for record in records for name in record))
            table = {"columns": names, "data": [[record.get(name) for name in names] for record in records]}
            return frame_json.as_text({self.requests: table})
        if self.requests == "values":
            return frame_json.as_text([list(record.values()) for record in records])
        return frame_json.as_text(records if self.requests in (ONE, "list") else {self.requests: records})

    def write(self, rows: pd.DataFrame) -> HttpRequest:
        """Return the request for these rows."""
        body = self.body(rows).encode("utf-8", "surrogatepass")
        return HttpRequest(body, "application/json", headers={"accept": "application/json"})

    def read(self, body: bytes, asked: int) -> pd.DataFrame:
        """Return the answers in a body, a row for each request; those without names are marked as such.

        Raises:
            AnswerError: the field is not there, or it holds another number of answers.
        """
        told = read_json(body)
        if self.answers:
            if not isinstance(told, Mapping):
                raise AnswerError(f"The service answered JSON, but no object with the field '{self.answers}'.")
            if self.answers not in told:
                names = [str(name) for name in told]
                raise AnswerError(
                    f"The service answered JSON without '{self.answers}'. Its fields: {', '.join(names[:8]) or 'none'}."
                    f"{nearest(self.answers, names)}"
                )
            told = told[self.answers]
        rows = told if isinstance(told, list) else [told]
        if asked == 1 and len(rows) != 1 and not any(isinstance(row, list | Mapping) for row in rows):
            rows = [rows]  # the values of one answer
        if len(rows) != asked:
            raise AnswerError(f"The service gave {len(rows):,} answers to {asked:,} requests.")
        if all(isinstance(row, Mapping) for row in rows):
            return frame_json.read([dict(row) for row in rows], pd.DataFrame())
        if any(isinstance(row, Mapping) for row in rows):
            raise AnswerError("The answers to some requests are objects, and those to others are not.")
        columns = columns_of(rows)
        cells = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return unnamed(frame_json.read(cells, pd.DataFrame()))

    def _records(self, rows: pd.DataFrame) -> Sequence[dict[str, Any]]:
        told = [json.loads(text) for text in frame_json.payloads(rows)]
        if self.requests not in WITHOUT_KEY:
            return told
        return [{n: v for n, v in r.items() if n not in self.key} if isinstance(r, dict) else r for r in told]


def _value(record: Any) -> Any:
    """Return a record, or the list that it consists of: the form of a tensor."""
    values = list(record.values()) if isinstance(record, dict) else []
    return values[0] if len(values) == 1 and isinstance(values[0], list) else record


assert set(WITHOUT_KEY) <= set(ANSWERS)
