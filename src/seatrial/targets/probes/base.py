"""A probe, the declared fields of a request, and the probe plan that a target supplies to the contract check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

import pandas as pd

from seatrial.errors import TargetError
from seatrial.targets.messages import Response


@dataclass(frozen=True)
class Field:
    """One declared field of a request, at any depth.

    Attributes:
        name: the name of the field, for a nested one with the names before it: ``customer.age``, ``items[0].price``.
        types: the JSON types that it may have, without null; empty where no type is declared.
        required: whether the object that holds it must contain it; None where that is not declared.
        nullable: whether it may be null; None where that is not declared.
        path: the names and positions that lead to it; empty for a field of the request itself.

    Example:
        >>> Field("amount", frozenset({"integer"}), required=True, nullable=False).types
        frozenset({'integer'})
    """

    name: str
    types: frozenset[str] = frozenset()
    required: bool | None = False
    nullable: bool | None = None
    path: tuple[str | int, ...] = ()

    @property
    def steps(self) -> tuple[str | int, ...]:
        """The names and positions that lead to it from the request."""
        return self.path or (self.name,)


@dataclass(frozen=True)
class DeclaredFields:
    """The declared fields of one request.

    Attributes:
        fields: the fields by name.
        additional: whether the declaration allows further fields.
        left_out: how many declared fields are not among them, because a request has very many.

    Example:
        >>> DeclaredFields({"amount": Field("amount")}).additional
        False
    """

    fields: Mapping[str, Field]
    additional: bool = False
    left_out: int = 0


class Expect(StrEnum):
    """What a correct service does with a probe."""

    REFUSE = "refuse"  # with a status of 400 to 499
    ACCEPT = "accept"
    EITHER = "either"  # any status below 500


@dataclass(frozen=True)
class Probe:
    """One request that tests how a service treats an unusual or invalid input.

    Attributes:
        cause: the slug of the finding where the service accepts the probe and should refuse it.
        description: what is sent, a noun phrase that completes "The service accepts …".
        body: the bytes of the request body.
        expect: what a correct service does.
        field_name: the field that the probe changes, None for the whole request.
        equivalent: the body of a valid request. Where its answer equals that to the probe, the service coerced or
            ignored the changed value.
        content_type: the content type of the body.
        unread: bodies without the field, and with another value in it. Where their answers are those to the probe
            too, the service does not read the field.
        text: the text of the record alone, as the path in process can replay it.

    Example:
        >>> Probe("malformed", "an empty body", b"").expect
        <Expect.REFUSE: 'refuse'>
    """

    cause: str
    description: str
    body: bytes = field(repr=False)
    expect: Expect = Expect.REFUSE
    field_name: str | None = None
    equivalent: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    text: str | None = field(default=None, repr=False)
    unread: tuple[bytes, ...] = field(default=(), repr=False)


class Connection(Protocol):
    """A connection that sends probes, one at a time or many."""

    def send(self, payload: Any = None, *, path: str | None = None, headers: Mapping[str, str] | None = None) -> Response:  # fmt: skip  # noqa: E501
        """Send one payload and return the response."""

    def send_all(
        self, payloads: Sequence[Any], *, path: str | None = None, headers: Mapping[str, str] | None = None,
        seconds: float | None = None, all_seconds: float = 600.0,
    ) -> list[Response | TargetError | None]:  # fmt: skip
        """Send many and return the response or the error of each, in order; None for a payload that was not sent."""


@dataclass(frozen=True)
class ProbePlan:
    """Valid requests and probes in the protocol of one target.

    Attributes:
        path: the path of predictions.
        valid: bodies of requests that a correct service answers, the one with most fields first.
        probes: returns the probes, given the position of a valid request that was answered and the declared fields.
        records: the valid requests as JSON records; empty where the protocol has none.
        declared_by: the source of the declared fields of a record: the service's ``openapi``, the model's
            ``signature``, or ``nothing``.
        learned: the fields and types that recorded requests were seen with, for want of a declaration.
        varying: fields of an answer that differ each time, such as a request's id.
        connect: opens a separate connection, given a deadline in seconds; None where predictions are requested over
            HTTP at the service's root.
        content_type: of the valid requests.
        message: makes the HTTP request of a body and its content type, where it is more than both at ``path``.
        settle: returns the last response to each request, where answers are fetched later.
        read: returns the answers in a response as JSON values, raising AnswerError; None where they are its body.
    """

    path: str
    valid: Sequence[bytes]
    probes: Callable[[int, DeclaredFields], Iterable[Probe]]
    records: Sequence[Mapping[str, Any]] = ()
    declared_by: Literal["openapi", "signature", "nothing"] = "nothing"
    learned: DeclaredFields | None = None
    varying: frozenset[str] = frozenset()
    connect: Callable[[float], AbstractContextManager[Connection]] | None = None
    content_type: str = "application/json"
    message: Callable[[bytes, str], Any] | None = None
    settle: Callable[[Sequence[Response | TargetError | None]], Sequence[Response | TargetError | None]] | None = None
    read: Callable[[Response], Any] | None = None


@runtime_checkable
class Probeable(Protocol):
    """A target whose protocol the contract check can probe. Without it, the report says that no probes were sent.

    Example:
        >>> from seatrial.targets.rest import Rest
        >>> isinstance(Rest("http://127.0.0.1:8000/score"), Probeable)
        True
    """

    def probe_plan(self, requests: pd.DataFrame) -> ProbePlan:
        """Return valid requests and probes, made from reference requests (one row for each request)."""
        ...
