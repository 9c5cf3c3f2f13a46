"""The replies of a worker, read strictly: every field is there, none is more, each has its type.

What a worker says may be hostile code's. Requests are made by the judge, and are in ``worker/main.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from seatrial.errors import IsolationError

SHOWN = 200  # characters of a reason that may quote hostile code
FileName = Annotated[str, Field(pattern=r"^w\d+\.arrow$")]


class Strict(BaseModel):
    """A record whose fields are all there, of their types, and no more; its text is shown in no error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Reply(Strict):
    """A reply; ``id`` is that of its request."""

    id: int


class Ready(Reply):
    """The worker runs: its interpreter has what it needs. Its id is 0, for it replies to no request."""

    reply: Literal["ready"]


class SamplesRecord(Strict):
    """The fields are those of ``pipeline.Samples``."""

    n: int
    at_least: float
    confidence: float


class StageRecord(Strict):
    """A stage, and what is said of it; the fields are those of ``pipeline.Stage``."""

    name: str
    needs: list[str]
    key: list[str] | None
    ordered: bool
    samples: SamplesRecord | None
    calls: int | None
    columns: list[str]
    batch_dependent: str


class DependencyRecord(Strict):
    """A dependency, and whether it declares a fallback."""

    name: str
    url: str
    fallback: bool


class ServiceRecord(Strict):
    """The service; the fields are those of ``pipeline.Service``."""

    command: list[str]
    ready: str
    predict: str
    openapi: str | None
    env: dict[str, str]
    batch: str | None
    serves: str | None
    cwd: str | None
    ready_seconds: float
    url: str | None
    headers: dict[str, str]
    verify: bool | str
    cert: list[str]
    request: str
    response: str
    envelope: str | None
    poll_seconds: float | None
    stop: list[str]


class Opened(Reply):
    """What the pipeline declares."""

    reply: Literal["opened"]
    name: str
    key: list[str]
    stages: list[StageRecord]
    dependencies: list[DependencyRecord]
    service: ServiceRecord | None
    loads_model: bool


class Loaded(Reply):
    """Whose models were loaded."""

    reply: Literal["loaded"]
    models: list[Literal["version", "champion"]]


class ErrorRecord(Strict):
    """An error of a stage, why the record of a dependency made it fail, or empty, and the traceback of the stage."""

    error: str
    unrecorded: str
    details: str


class ReplayedReply(Reply):
    """For each batch: its errors by stage, None where the frame is the next in the file; stages handed on as stored."""

    reply: Literal["replayed"]
    file: FileName
    results: list[list[ErrorRecord | None]]
    as_stored: list[list[int]]


class AnsweredReply(Reply):
    """The recorded lookups whose rows are in the file, in this order, and the answers of plain calls as JSON text."""

    reply: Literal["answered"]
    file: FileName
    lookups: list[str]
    calls: dict[str, str]


class RequestedReply(Reply):
    """The file with the requests that the service's hook wrote."""

    reply: Literal["requested"]
    file: FileName


class PollRecord(Strict):
    """The fields are those of ``pipeline.Poll``."""

    url: str
    seconds: float
    every: float


class ReadRecord(Strict):
    """What the service's hook read in an answer: an error, how to poll, or neither where its frame is in the file."""

    error: str
    poll: PollRecord | None


class ReadReply(Reply):
    """What the service's hook read in each answer."""

    reply: Literal["read"]
    file: FileName
    results: list[ReadRecord]


class Captured(Reply):
    """The folder of a reference that was captured."""

    reply: Literal["captured"]
    folder: Annotated[str, Field(pattern=r"^reference-\d+$")]


class Described(Reply):
    """The environment of the worker."""

    reply: Literal["described"]
    environment: dict[str, str | dict[str, str]]


class DefinitionRecord(Strict):
    """A definition that stages reach; the fields are those of ``worker.reachability.Definition``."""

    file: str
    name: str
    first_line: int = Field(ge=1)
    last_line: int = Field(ge=1)
    stages: list[str] = Field(min_length=1)
    columns: list[int] | None = Field(default=None, min_length=2, max_length=2)


class UnmutatedRecord(Strict):
    """Code that stages reach and that is not mutated, and why; see ``worker.reachability.Unmutated``."""

    what: str
    reason: str
    stages: list[str] = Field(min_length=1)


class DefinedReply(Reply):
    """Which definitions the stages reach, and what they reach that cannot be mutated."""

    reply: Literal["defined"]
    definitions: list[DefinitionRecord]
    unmutated: list[UnmutatedRecord] = []


class ForkedReply(Reply):
    """A child was forked."""

    reply: Literal["forked"]


class EndedReply(Reply):
    """A child ended; ``code`` is its exit code, or minus the number of the signal that ended it."""

    reply: Literal["ended"]
    code: int


class Failed(Reply):
    """A request failed: ``error`` is the name of a class of ``seatrial.errors``, or ``model`` for the model's code."""

    reply: Literal["failed"]
    error: str
    message: str
    details: str


AnyReply: TypeAlias = (Ready | Opened | Loaded | ReplayedReply | AnsweredReply | Captured | Described
                       | RequestedReply | ReadReply | DefinedReply | ForkedReply | EndedReply | Failed)  # fmt: skip
_REPLIES: TypeAdapter[AnyReply] = TypeAdapter(Annotated[AnyReply, Field(discriminator="reply")])


def read_reply(message: Mapping[str, Any]) -> AnyReply:
    """Return the reply that a JSON object holds.

    Raises:
        IsolationError: why it holds none, and nothing of its text.

    Example:
        >>> read_reply({"reply": "loaded", "id": 3, "models": ["version"]})
        Loaded(id=3, reply='loaded', models=['version'])
    """
    try:
        return _REPLIES.validate_python(message)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))[:SHOWN]
        raise IsolationError(
            f"a message that the protocol does not have: field '{place}': {first['msg'][:SHOWN]}"
        ) from error
