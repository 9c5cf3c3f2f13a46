"""Decide what is wrong with the answer to a probe: a status 500, a silent coercion, an undocumented body."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from seatrial.checks.contract.compatibility import SEVERITIES
from seatrial.checks.contract.session import Session
from seatrial.errors import AnswerError, SeatrialError, TargetError
from seatrial.events import Severity
from seatrial.io import frame_json
from seatrial.openapi.references import UnreadableError
from seatrial.openapi.schemas.conformance import conforms, lacks_documented_fields
from seatrial.pipeline import key_columns
from seatrial.targets.messages import Response
from seatrial.targets.probes.base import Expect, Probe
from seatrial.trial import Trial

COERCIONS = ("excluded", "dtype-coercion", "not-a-number", "content-type")  # accepted with their meaning
CHANGES = ("malformed-tensor", "null", "missing")  # accepted, so that something else stands in their place
NO_ANSWER = ("refused", "no-answer", "not-json", "unreadable-answer")
IF_SAME = ("truncation", "first-value")  # a change where the answer is that to the other value


@dataclass(frozen=True)
class Problem:
    """One problem that one probe shows.

    Attributes:
        cause: its slug, as in ``Finding.cause``.
        field_name: the field that it concerns, None for the whole request.
        description: what was sent.
        detail: what follows from the answer, a clause; may be empty.
        severity: of the finding.
        probe: the cause of the probe that shows it.
    """

    cause: str
    field_name: str | None
    description: str
    detail: str = ""
    severity: Severity = Severity.ERROR
    probe: str = ""

    @property
    def allowable(self) -> bool:
        """Whether it can be a limit of the server: not where requests of the reference get no answer."""
        broken = self.cause.startswith("status-") or self.cause in NO_ANSWER
        return bool(self.probe) and not (self.probe == "request" and broken)


@dataclass(frozen=True)
class Exchange:
    """A probe and its result: a response, an error, or None where it was not sent."""

    probe: Probe
    result: Response | TargetError | None


def problems_of(session: Session, exchange: Exchange) -> Iterator[Problem]:
    """Yield the problems that the result of one probe shows."""
    probe, result = exchange.probe, exchange.result
    if result is None:
        return
    if isinstance(result, TargetError):
        if isinstance(result, AnswerError):
            yield Problem("no-answer", probe.field_name, probe.description, str(result))
        return
    cause = f"status-{result.status}"
    if result.status >= 500:
        code = result.headers.get("grpc-status")
        yield Problem(cause, probe.field_name, probe.description, f"the gRPC status is {code}" if code else "")
    elif result.ok:
        yield from _accepted(session, probe, result)
    elif result.status >= 400:
        yield from _refused(session, probe, result)
    elif probe.expect is Expect.REFUSE:
        yield Problem(cause, probe.field_name, probe.description)


def _accepted(session: Session, probe: Probe, response: Response) -> Iterator[Problem]:
    try:
        answer = session.read(response)
    except AnswerError as error:
        cause = "not-json" if session.plan is None or session.plan.read is None else "unreadable-answer"
        yield Problem(cause, probe.field_name, probe.description, str(error))
        return
    answers = answer if isinstance(answer, list) else [answer]
    allowed = session.trial.policy.golden.wide_integers
    for column in frame_json.beyond_safe(a for a in answers if isinstance(a, Mapping)):
        if column not in allowed:
            detail = "readers that use doubles, such as browsers, lose its last digits"
            yield Problem("json-integer", column, probe.description, detail)
    documented, schema = session.schema_of(response.status)
    mismatch = ""
    if documented and schema is not None:
        mismatch = _schema_error(session, schema, _body(response, answer))
    if mismatch:
        cause = "answer-shape" if probe.expect is Expect.ACCEPT and probe.cause == "request" else "error-as-success"
        yield Problem(cause, None, probe.description, _not_as_documented(response, mismatch))
    elif probe.expect is Expect.REFUSE:
        yield _coerced(session, probe, response)


def _coerced(session: Session, probe: Probe, response: Response) -> Problem:
    """Return the problem of a probe that should be refused, with what can be shown of how the service reads it."""
    details, answer = [], session.without_varying(response)
    same = probe.equivalent is not None and _answered_alike(session, answer, probe.equivalent)
    alike = [_answered_alike(session, answer, body) for body in probe.unread] if same else []
    if alike and all(alike):
        told = "the answer is the same for another value, and without the field"
        return Problem("unread-field", probe.field_name, probe.description, told, Severity.INFO)
    if any(alike[1:]):  # that it is the same shows nothing of how the value was read
        same = False
        details.append("the answer is the same for another value too")
    elif same:
        details.append(_same_answer(probe))
    if probe.text is not None and probe.cause in ("dtype-coercion", *IF_SAME):
        accepts = _accepted_in_process(session, probe.text)
        details.append("the path in process accepts it too" if accepts else "the path in process refuses it")
    return Problem(
        probe.cause, probe.field_name, probe.description, ", and ".join(details), _severity(session, probe, same)
    )


def _answered_alike(session: Session, answer: Any, body: bytes) -> bool:
    """Whether the service gives this answer to another request, too."""
    try:
        return answer is not None and answer == session.without_varying(session.ask(body))
    except TargetError:
        return False


def _severity(session: Session, probe: Probe, same: bool) -> Severity:
    """Return how much it weighs that a probe is accepted; ``same``: with the answer to its equivalent."""
    settings, cause = session.settings, probe.cause
    if cause == "unknown-field":
        return SEVERITIES[settings.unknown_fields]
    if cause in CHANGES or (cause in IF_SAME and same):
        return SEVERITIES[settings.silent_changes]
    return SEVERITIES[settings.coercion] if cause in (*COERCIONS, *IF_SAME) else Severity.ERROR


def _body(response: Response, answer: Any) -> Any:
    """Return what a response holds as JSON, which its OpenAPI describes; what was read in it where it is none."""
    try:
        return response.json()
    except AnswerError:
        return answer


def _same_answer(probe: Probe) -> str:
    same = {
        "unknown-field": "without the field",
        "truncation": "for the truncated value",
        "first-value": "for the value without the list",
    }.get(probe.cause, "for the value of the declared type")
    return f"the answer is the same {same}"


def _refused(session: Session, probe: Probe, response: Response) -> Iterator[Problem]:
    if probe.expect is Expect.ACCEPT:
        source = "the reference contains it" if probe.cause == "request" else "the declaration allows it"
        detail = f"the status is {response.status}, and {source}"
        yield Problem("refused", probe.field_name, probe.description, detail)
    if probe.cause in ("malformed", "malformed-tensor", "content-type", "request") or session.document is None:
        return  # the parser of the body refuses these, often before the service's own code
    documented, schema = session.schema_of(response.status)
    if not documented:
        if any(session.schema_of(status)[0] for status in range(400, 500)):
            detail = f"status {response.status} is not documented"
            yield Problem("error-status", None, probe.description, detail)
        return
    try:
        answer = response.json()
    except AnswerError as error:
        if schema is not None:
            yield Problem("error-shape", None, probe.description, str(error))
        return
    if schema is not None:
        mismatch = _schema_error(session, schema, answer) or lacks_documented_fields(session.document, schema, answer)
        if mismatch:
            yield Problem("error-shape", None, probe.description, _not_as_documented(response, mismatch))


def _not_as_documented(response: Response, mismatch: str) -> str:
    return f"the body of status {response.status} is not as documented ({mismatch})"


def _schema_error(session: Session, schema: Any, answer: Any) -> str:
    try:
        return conforms(session.document or {}, schema, answer)
    except UnreadableError:
        return ""  # nothing can be claimed of such a schema; the comparison of the OpenAPI reports it


def _accepted_in_process(session: Session, text: str) -> bool:
    """Whether the path in process accepts the same record."""
    trial, stage = session.trial, session.live.service.serves
    try:
        if stage is None:
            record = _keyed(trial, text)
            frame = pd.DataFrame({frame_json.PAYLOAD: [json.dumps(record)]}, dtype="string")
            if list(trial.reference.requests.columns) != [frame_json.PAYLOAD]:
                frame = pd.DataFrame([record])
            trial.through(trial.pipeline.stages, frame)
        else:
            given = trial.input_of(stage).iloc[:1].reset_index(drop=True)
            for column, value in json.loads(text).items():
                if column in given.columns:
                    cell = pd.Series([value])
                    given[column] = cell.astype(given[column].dtype) if _holds(given[column], cell) else cell
            trial.through([stage], given)
    except (SeatrialError, ValueError, TypeError):
        return False
    return True


def _keyed(trial: Trial, text: str) -> dict[str, Any]:
    """Return a record with the key of a recorded request where it has none: model servers get no key."""
    record = json.loads(text)
    recorded = json.loads(frame_json.payloads(trial.reference.requests.iloc[:1])[0])
    return {**{name: recorded[name] for name in key_columns(trial.pipeline.key) if name in recorded}, **record}


def _holds(column: pd.Series, cell: pd.Series) -> bool:
    """Whether the type of the column can hold the cell without a change of its value."""
    if pd.api.types.is_bool_dtype(cell.dtype) != pd.api.types.is_bool_dtype(column.dtype):
        return False  # true equals 1 and is another value
    try:
        return bool((cell.astype(column.dtype).astype(object) == cell.astype(object)).all())
    except (ValueError, TypeError):
        return False
