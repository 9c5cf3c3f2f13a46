"""The messages between a trial and the process that loads its model: requests one way, replies the other.

Both are read strictly: every field is there, none is more, and each has its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import Field, PlainValidator, TypeAdapter, ValidationError

from seatrial.errors import IsolationError, UsageError
from seatrial.events import Case, Event
from seatrial.isolation.codec import Strict, first_problem, read_event
from seatrial.trial import ChampionContract

T = TypeVar("T")


class CaseRecord(Strict):
    """A case; ``stage`` is None for the whole path."""

    check: str
    stage: str | None


class ChampionRecord(Strict):
    """A champion contract; its paths are text."""

    version: str
    openapi: dict[str, Any] | None
    reason: str
    reference: str | None


class Message(Strict):
    """What goes over the channel; ``id`` is that of the request, of which each reply carries a copy."""

    id: int


class Open(Message):
    """Read the pipeline and the policy of the project at ``root``, before any code of the model runs."""

    request: Literal["open"] = "open"
    root: str


class LoadVersion(Message):
    """Load the reference, the models and the checks. Paths are text; ``only`` is None for all checks."""

    request: Literal["load"] = "load"
    model: str
    reference: str
    champion: str | None
    champion_contract: ChampionRecord | None
    live: list[str]
    only: list[str] | None
    skip: list[str]
    seed: int


class RunCase(Message):
    """Run one case. The replies are its events, its progress, and ``done``; cases run side by side."""

    request: Literal["run_case"] = "run_case"
    case: CaseRecord


class Close(Message):
    """Close what the trial holds and end the process."""

    request: Literal["close"] = "close"


Request: TypeAlias = Open | LoadVersion | RunCase | Close


class Opened(Message):
    """What the pipeline and the policy decide; the fields are those of ``client.Description``."""

    reply: Literal["opened"] = "opened"
    name: str
    path: list[str]
    dependencies: list[str]
    policy_digest: str
    promote: str | None
    compares: bool
    serves: bool


class Loaded(Message):
    """The cases that will run, and why chosen checks have none."""

    reply: Literal["loaded"] = "loaded"
    cases: list[CaseRecord]
    not_run: list[str]


class CaseProgress(Message):
    """How far a case is: ``done`` of ``of`` pieces, and what comes next."""

    reply: Literal["progress"] = "progress"
    done: int
    of: int
    next: str


class Done(Message):
    """A case has run; no further message has this id."""

    reply: Literal["done"] = "done"


class Failed(Message):
    """A request failed: ``error`` is the name of a class of ``seatrial.errors``, or ``model`` for the model's code."""

    reply: Literal["failed"] = "failed"
    error: str
    message: str


class Emitted(Message):
    """One event of a case."""

    reply: Literal["event"] = "event"
    event: Annotated[Event, PlainValidator(read_event)]


Reply: TypeAlias = Opened | Loaded | Emitted | CaseProgress | Done | Failed
_REQUESTS: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="request")])
_REPLIES: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="reply")])


def request(kind: type[Message], **values: Any) -> dict[str, Any]:
    """Return a request of this kind as the object to send; UsageError where a value has the wrong type."""
    try:
        return kind(**values).model_dump()
    except ValidationError as error:
        raise UsageError(
            f"The request '{kind.model_fields['request'].default}' cannot be sent: {first_problem(error)}."
        ) from error


def read_request(message: Mapping[str, Any]) -> Request:
    """Return the request that a JSON object holds; IsolationError where it holds none."""
    return _read(_REQUESTS, message)


def read_reply(message: Mapping[str, Any]) -> Reply:
    """Return the reply that a JSON object holds; IsolationError says why it holds none.

    Example:
        >>> read_reply({"reply": "done", "id": 3})
        Done(reply='done', id=3)
    """
    return _read(_REPLIES, message)


def case_record(case: Case) -> CaseRecord:
    """Return a case as a record."""
    return CaseRecord(check=case.check, stage=case.stage)


def champion_record(contract: ChampionContract | None) -> ChampionRecord | None:
    """Return a champion contract as a record."""
    if contract is None:
        return None
    reference = None if contract.reference is None else str(contract.reference)
    openapi = None if contract.openapi is None else dict(contract.openapi)
    return ChampionRecord(version=contract.version, openapi=openapi, reason=contract.reason, reference=reference)


def champion_contract(record: ChampionRecord | None) -> ChampionContract | None:
    """Return the champion contract that a record holds."""
    if record is None:
        return None
    reference = None if record.reference is None else Path(record.reference)
    return ChampionContract(record.version, record.openapi, record.reason, reference)


def _read(adapter: TypeAdapter[T], message: Mapping[str, Any]) -> T:
    try:
        return adapter.validate_python(message)
    except ValidationError as error:
        raise IsolationError(f"a message that the protocol does not have: {first_problem(error)}") from error
