"""What one answer to one probe says: a 500, a silent coercion, an error out of shape; as far as that can be shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from seatrial.checks.contract.compatibility import WEIGHS
from seatrial.checks.contract.session import Session
from seatrial.errors import AnswerError, SeatrialError, TargetError
from seatrial.events import Severity
from seatrial.io import frame_json
from seatrial.openapi.conformance import conforms, strange
from seatrial.openapi.schema import UnreadableError
from seatrial.targets.messages import Response
from seatrial.targets.probes.base import Expect, Probe

COERCIONS = (
    "excluded",
    "malformed-tensor",
    "dtype-coercion",
    "truncation",
    "not-a-number",
    "null",
    "missing",
    "content-type",
)


@dataclass(frozen=True)
class Problem:
    """One thing that one probe brought to light."""

    cause: str
    of: str | None
    words: str
    note: str = ""
    severity: Severity = Severity.ERROR


@dataclass(frozen=True)
class Exchange:
    """A probe and what became of it: an answer, an error, or None where it was not sent."""

    probe: Probe
    told: Response | TargetError | None


def evaluated(ground: Session, sent: Exchange) -> Iterator[Problem]:
    """Yield what is wrong with the answer to one probe."""
    probe, told = sent.probe, sent.told
    if told is None:
        return
    if isinstance(told, TargetError):
        if isinstance(told, AnswerError):
            yield Problem("no-answer", probe.of, probe.words, str(told))
        return
    if told.status >= 500:
        code = told.headers.get("grpc-status")
        yield Problem(f"status-{told.status}", probe.of, probe.words, f"gRPC's {code}" if code else "")
    elif told.ok:
        yield from _accepted(ground, probe, told)
    elif told.status >= 400:
        yield from _refused(ground, probe, told)
    elif probe.expect is Expect.REFUSE:
        yield Problem(f"status-{told.status}", probe.of, probe.words)


def _accepted(ground: Session, probe: Probe, told: Response) -> Iterator[Problem]:
    try:
        answer = told.json()
    except AnswerError as error:
        yield Problem("not-json", probe.of, probe.words, str(error))
        return
    answers = answer if isinstance(answer, list) else [answer]
    allowed = ground.trial.policy.golden.wide_integers
    for column in frame_json.beyond_safe(a for a in answers if isinstance(a, Mapping)):
        if column not in allowed:
            yield Problem("json-integer", column, probe.words, "an integer beyond 2^53 comes as a JSON number")
    documented, schema = ground.schema_of(told.status)
    broken = _broken(ground, schema, answer) if documented and schema is not None else ""
    if broken:
        cause = "answer-shape" if probe.expect is Expect.ACCEPT and probe.cause == "request" else "error-as-success"
        yield Problem(cause, None, probe.words, f"the answer of status {told.status} is not as documented: {broken}")
    elif probe.expect is Expect.REFUSE:
        yield _coerced(ground, probe, told)


def _coerced(ground: Session, probe: Probe, told: Response) -> Problem:
    """Say what the service makes of what it should refuse, as far as that can be shown."""
    notes = []
    if probe.twin is not None:
        try:
            twin = ground.asked.send(probe.twin, path=ground.path)
            mine, theirs = ground.without_varying(told), ground.without_varying(twin)
            if mine is not None and mine == theirs:
                notes.append("it is ignored" if probe.cause == "unknown-field" else _read_as(probe))
        except TargetError:
            pass
    if probe.text is not None and probe.cause in ("dtype-coercion", "truncation"):
        notes += _in_process(ground, probe.text)
    weight = ground.settings.unknown_fields if probe.cause == "unknown-field" else ground.settings.coercion
    severity = WEIGHS[weight] if probe.cause in (*COERCIONS, "unknown-field") else Severity.ERROR
    return Problem(probe.cause, probe.of, probe.words, ", ".join(notes), severity)


def _read_as(probe: Probe) -> str:
    return "it is truncated" if probe.cause == "truncation" else "it is answered as the right value is"


def _refused(ground: Session, probe: Probe, told: Response) -> Iterator[Problem]:
    if probe.expect is Expect.ACCEPT:
        declared = "training was given it" if probe.cause == "request" else "it is declared to be allowed"
        yield Problem("refused", probe.of, probe.words, f"status {told.status}, and {declared}")
    if probe.cause in ("malformed", "malformed-tensor", "content-type", "request") or ground.document is None:
        return  # what reads the body answers these, often before the service's own code
    documented, schema = ground.schema_of(told.status)
    if not documented:
        if any(ground.schema_of(status)[0] for status in range(400, 500)):
            yield Problem("error-status", None, probe.words, f"refused with {told.status}, which is not documented")
        return
    try:
        answer = told.json()
    except AnswerError as error:
        if schema is not None:
            yield Problem("error-shape", None, probe.words, str(error))
        return
    if schema is not None and (broken := _broken(ground, schema, answer) or strange(ground.document, schema, answer)):
        yield Problem(
            "error-shape", None, probe.words, f"the error of status {told.status} is not as documented: {broken}"
        )


def _broken(ground: Session, schema: Any, answer: Any) -> str:
    try:
        return conforms(ground.document or {}, schema, answer)
    except UnreadableError:
        return ""  # of such a schema nothing is claimed; the diff says that it is unreadable


def _in_process(ground: Session, text: str) -> list[str]:
    """Say what the path in process does with the same record."""
    trial, stage = ground.trial, ground.live.service.serves
    try:
        if stage is None:
            frame = pd.DataFrame({frame_json.PAYLOAD: [text]}, dtype="string")
            if list(trial.reference.requests.columns) != [frame_json.PAYLOAD]:
                frame = pd.DataFrame([json.loads(text)])
            for each in trial.pipeline.stages:
                frame = trial.step(each)(frame)
        else:
            like = trial.input_of(stage).iloc[:1].reset_index(drop=True)
            for column, value in json.loads(text).items():
                if column in like.columns:
                    cell = pd.Series([value])
                    like[column] = cell.astype(like[column].dtype) if _fits(cell, like[column]) else cell
            trial.step(stage)(like)
    except (SeatrialError, ValueError, TypeError):
        return ["the path in process refuses it"]
    return ["the path in process takes it too"]


def _fits(cell: pd.Series, like: pd.Series) -> bool:
    if pd.api.types.is_bool_dtype(cell.dtype) != pd.api.types.is_bool_dtype(like.dtype):
        return False  # true equals 1 and is another value
    try:
        return bool((cell.astype(like.dtype).astype(object) == cell.astype(object)).all())
    except (ValueError, TypeError):
        return False
