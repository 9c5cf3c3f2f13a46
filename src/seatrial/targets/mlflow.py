"""MLflow's scoring server, as ``mlflow models serve`` starts it: ``mlflow+http://host:port``."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Literal, get_args

import pandas as pd

from seatrial.errors import AnswerError, UsageError, unknown
from seatrial.io import frame_json
from seatrial.pipeline import Key, key_columns
from seatrial.targets.http import Http
from seatrial.targets.messages import unnamed
from seatrial.targets.probes.base import ProbePlan
from seatrial.targets.probes.records import Envelope, plan_of_records

Form = Literal["dataframe_split", "dataframe_records", "instances", "inputs", "csv"]


class MLflow(Http):
    """A served MLflow model. It takes the model's inputs and answers its predictions, in the order of the rows.

    Args:
        url: the server; requests go to its ``/invocations``.
        key: the column that names a request, or a tuple of them; it stays here and is put beside the answers.
        form: how rows are written. ``instances`` and ``inputs`` are for models of tensors: one tensor a column, or,
            where the frame has one column of lists, that alone.
        params: parameters of the model's own, sent with every request.
        options: ``seconds``, ``limit_bytes`` and ``connections`` of :class:`~seatrial.targets.http.Http`.
    """

    def __init__(
        self,
        url: str,
        *,
        key: Key | None = None,
        form: Form = "dataframe_split",
        params: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(url, **options)
        if form not in get_args(Form):
            raise UsageError(unknown("Form", form, get_args(Form)))
        if self.url.path in ("", "/"):
            self.url = self.url.copy_with(path="/invocations")
        self.key, self.form, self.params = key, form, params

    def __enter__(self) -> MLflow:
        super().__enter__()
        return self

    def payload(self, frame: pd.DataFrame) -> bytes:
        """Return the request body for these rows."""
        inputs = without_key(in_fields(frame), self.key)
        if self.form == "csv":
            return _csv(inputs)
        rows = frame_json.rows(inputs)
        body: dict[str, Any]
        if self.form == "dataframe_split":
            body = {self.form: {"columns": [str(c) for c in inputs.columns], "data": [list(r.values()) for r in rows]}}
        elif self.form == "inputs":
            columns = {str(c): [row[str(c)] for row in rows] for c in inputs.columns}
            body = {self.form: next(iter(columns.values())) if _tensor(inputs) else columns}
        else:
            body = {self.form: [next(iter(r.values())) for r in rows] if _tensor(inputs) else rows}
        return frame_json.as_text(body | ({"params": self.params} if self.params else {})).encode()

    def step(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the predictions beside the key: named as answered, or ``prediction``, ``prediction_1`` and on.

        Numbers, texts and lists have no names, and neither have columns that are called 0, 1 and on.

        Raises:
            TargetError: no answer, or one with another number of predictions than rows.
        """
        frame = in_fields(frame)
        kind = "text/csv" if self.form == "csv" else "application/json"
        response = self.send(self.payload(frame), headers={"content-type": kind})
        if not response.ok:
            raise AnswerError(f"The scoring server answered {response.status}.")
        told = response.json()
        if not isinstance(told, dict) or "predictions" not in told:
            raise AnswerError("The scoring server answered JSON without 'predictions'.")
        answers = beside_key(frame, self.key, columns_of(told["predictions"]))
        return answers if _names(told["predictions"]) else unnamed(answers)

    def probe_plan(self, requests: pd.DataFrame) -> ProbePlan:
        """Return the contract check's requests: one record in an envelope, declared by the model's signature."""
        inputs = without_key(in_fields(requests), self.key)
        return plan_of_records(self.url.path, inputs, Envelope('{"dataframe_records":[', "]}"))


def columns_of(predictions: Any, name: str = "prediction") -> dict[str, list[Any]]:
    """Return predictions as named columns: one for numbers or text, several for rows of them, by name for objects."""
    if isinstance(predictions, dict):
        return {str(k): v if isinstance(v, list) else [v] for k, v in predictions.items()}
    if not isinstance(predictions, list):
        raise AnswerError("The predictions are no list.")
    if predictions and all(isinstance(row, dict) for row in predictions):
        return {
            str(k): [row.get(k) for row in predictions] for k in dict.fromkeys(k for row in predictions for k in row)
        }
    if predictions and all(isinstance(row, list) for row in predictions):
        width = {len(row) for row in predictions}
        if len(width) != 1:
            raise AnswerError("The predictions have rows of several lengths.")
        many = width.pop()
        return {numbered(name, n): [row[n] for row in predictions] for n in range(many)}
    return {name: predictions}


def _names(predictions: Any) -> bool:
    """Whether predictions name their columns: objects whose fields are no mere numbers of a column."""
    row = predictions[0] if isinstance(predictions, list) and predictions else predictions
    return isinstance(row, dict) and not all(str(name).isdigit() for name in row)


def numbered(name: str, n: int) -> str:
    """Return the name of the n-th column of a tensor: ``score``, ``score_1``, ``score_2``."""
    return f"{name}_{n}" if n else name


def in_fields(frame: pd.DataFrame) -> pd.DataFrame:
    """Return requests as a model server takes them, a column a field, where each is the JSON text of a record.

    Example:
        >>> in_fields(pd.DataFrame({"payload": ['{"id": "a", "x": 1}']})).columns.tolist()
        ['id', 'x']
    """
    if list(frame.columns) != [frame_json.PAYLOAD]:
        return frame
    try:
        records = [json.loads(text) for text in frame[frame_json.PAYLOAD]]
    except (TypeError, ValueError):
        return frame
    if not records or not all(isinstance(record, dict) for record in records):
        return frame
    fields = frame_json.read(records, pd.DataFrame())
    plain = {c: str(t).lower() for c, t in fields.dtypes.items() if str(t) == "Int64" and fields[c].notna().all()}
    return fields.astype(plain)


def without_key(frame: pd.DataFrame, key: Key | None) -> pd.DataFrame:
    """Return the inputs of a model: the frame without the key, which is no input."""
    return frame.drop(columns=[c for c in key_columns(key or ()) if c in frame.columns])


def beside_key(frame: pd.DataFrame, key: Key | None, columns: dict[str, list[Any]]) -> pd.DataFrame:
    """Return the predicted columns with the keys of their requests.

    Raises:
        AnswerError: unless there is one row for each row sent, or for each request where several rows are one.
    """
    names = [c for c in key_columns(key or ()) if c in frame.columns]
    once = frame.drop_duplicates(names) if names else frame
    counts = {len(cells) for cells in columns.values()}
    if len(once) < len(frame) and counts == {len(once)}:
        frame = once.reset_index(drop=True)
    for name, cells in columns.items():
        if len(cells) != len(frame):
            raise AnswerError(f"The service gave {len(cells):,} answers in '{name}' to {len(frame):,} rows.")
    answers = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    out = frame_json.read(answers, pd.DataFrame())
    for at, name in enumerate(n for n in names if n not in out.columns):
        out.insert(at, name, frame[name].to_numpy() if frame[name].dtype.kind != "O" else list(frame[name]))
        out[name] = out[name].astype(frame[name].dtype)
    return out


def _tensor(inputs: pd.DataFrame) -> bool:
    return len(inputs.columns) == 1 and len(inputs) > 0 and isinstance(inputs.iloc[0, 0], list)


def _csv(inputs: pd.DataFrame) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([str(c) for c in inputs.columns])
    for row in frame_json.rows(inputs):
        writer.writerow(["" if cell is None else cell for cell in row.values()])
    return out.getvalue().encode()
