"""A probe, what is declared of a request's fields, and what a target brings to be probed with."""

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
    """One declared field.

    Attributes:
        name: of the field.
        types: JSON types it may have, null left out; empty where nothing is said.
        required: it may not be left out.
        nullable: it may be null; None where nothing is said.
        free: its text is not held to a choice or a form.
    """

    name: str
    types: frozenset[str] = frozenset()
    required: bool = False
    nullable: bool | None = None
    free: bool = False


@dataclass(frozen=True)
class Declared:
    """The fields of one request; ``open_`` where it is declared that further ones may come."""

    fields: Mapping[str, Field]
    open_: bool = False


class Expect(StrEnum):
    """What a sound service does."""

    REFUSE = "refuse"  # with a status of 400 to 499
    ACCEPT = "accept"
    EITHER = "either"  # but answer, and not with 500


@dataclass(frozen=True)
class Probe:
    """One request.

    Attributes:
        cause: the slug of the finding where it is accepted and should not be.
        words: what was sent, completing "the service takes …".
        body: the bytes of it.
        expect: what a sound service does.
        of: the field that it is about, None for the whole request.
        twin: the body of the request that it would be answered like if it were coerced or ignored.
        content_type: of the body.
        text: of the record alone, as it can be given to the path in process.
    """

    cause: str
    words: str
    body: bytes = field(repr=False)
    expect: Expect = Expect.REFUSE
    of: str | None = None
    twin: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    text: str | None = field(default=None, repr=False)


class Connection(Protocol):
    """What probes are sent through: one request, or many."""

    def send(self, payload: Any = None, *, path: str | None = None, headers: Mapping[str, str] | None = None) -> Response:  # fmt: skip  # noqa: E501
        """Send one payload and return what came back."""

    def send_all(
        self, payloads: Sequence[Any], *, path: str | None = None, headers: Mapping[str, str] | None = None,
        seconds: float | None = None, all_seconds: float = 600.0,
    ) -> list[Response | TargetError | None]:  # fmt: skip
        """Send many and return what became of each, in order; None for what was not sent."""


@dataclass(frozen=True)
class ProbePlan:
    """Requests of one target's protocol, sound ones and probes.

    Attributes:
        path: where predictions are requested.
        sound: bodies of requests that a sound service answers, the fullest first.
        probes: makes the probes from the place of a sound request that was answered and from what is declared of its
            fields.
        records: the sound requests as JSON records; empty where the protocol has none.
        declared_by: what declares the fields of a record: the service's ``openapi``, the model's ``signature``, or
            ``nothing``.
        varying: fields of an answer that differ each time, such as a request's id.
        connect: opens another connection with that deadline in seconds, where predictions are not requested over
            HTTP at the service's root.
    """

    path: str
    sound: Sequence[bytes]
    probes: Callable[[int, Declared], Iterable[Probe]]
    records: Sequence[Mapping[str, Any]] = ()
    declared_by: Literal["openapi", "signature", "nothing"] = "nothing"
    varying: frozenset[str] = frozenset()
    connect: Callable[[float], AbstractContextManager[Connection]] | None = None


@runtime_checkable
class Probeable(Protocol):
    """A target whose protocol the contract check can probe. A target without it is not probed, and the report says so.

    Example:
        >>> isinstance(Rest("http://127.0.0.1:8000/score"), Probeable)
        True
    """

    def probe_plan(self, requests: pd.DataFrame) -> ProbePlan:
        """Return sound requests and probes, made of reference requests: one row a request."""
        ...
