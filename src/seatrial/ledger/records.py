"""The records of the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

from seatrial.errors import SeatrialError, UsageError
from seatrial.events import Outcome


class Fenced(SeatrialError):
    """The lease ran out and another worker has the job: nothing found under this lease is written."""


class Registered(Protocol):
    """A registered model version, as the registry describes it."""

    @property
    def name(self) -> str:
        """The registered model."""

    @property
    def number(self) -> str:
        """The version's number."""

    @property
    def created(self) -> int:
        """When it was registered, milliseconds since 1970 by the registry's clock."""

    @property
    def run_id(self) -> str:
        """The run that logged it, or empty."""

    @property
    def model_id(self) -> str:
        """The LoggedModel behind it, or empty."""

    @property
    def scheme(self) -> str:
        """The scheme of its address, which identifies its registry."""


def identity(version: Registered) -> str:
    """Return the subject's id: a digest of everything in a version that never changes.

    Name and number are used again after a deletion. The registry's address is left out: one registry may have several
    addresses, and a local server may have another port every day.
    """
    parts = [version.name, str(version.number), int(version.created), version.run_id, version.model_id]
    return sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


def run_key(subject: str, epoch: int, ledger: str) -> str:
    """Return the key of a verdict's run; the epochs of another ledger, made after this one was lost, are not its."""
    return f"{subject}/{epoch}/{ledger}"


@dataclass(frozen=True)
class Job:
    """A claimed job: validate this version, and commit with this token before the lease ends.

    ``attempt`` counts from 1. A job whose last attempt died is claimed once more as ``exhausted``, to commit the
    verdict `error`.
    """

    subject: str
    epoch: int
    token: int
    attempt: int
    exhausted: bool
    name: str
    number: str
    created: int
    run_id: str
    model_id: str
    scheme: str
    error: str = ""

    @property
    def uri(self) -> str:
        """The address, such as ``models:/name/number``, with the scheme of its registry."""
        return f"{self.scheme}:/{self.name}/{self.number}"


@dataclass(frozen=True)
class DueJob:
    """A job that may be claimed now, and that nobody has; it is another one from the moment somebody claims it.

    Example:
        >>> DueJob.read(str(DueJob("5ea7", 0, 2, "models:/payments/1")), "models:/payments/1").token
        2
    """

    subject: str
    epoch: int
    token: int
    uri: str

    def __str__(self) -> str:
        return f"{self.subject}/{self.epoch}/{self.token}"

    @classmethod
    def read(cls, text: str, uri: str) -> DueJob:
        """Return the job that a text names; UsageError where it names none."""
        match = re.fullmatch(r"([0-9a-f]+)/(\d{1,9})/(\d{1,9})", text)
        if match is None:
            raise UsageError(
                f"'{text}' names no job. Write SUBJECT/EPOCH/TOKEN, as 'seatrial reconcile' does; to validate a "
                f"version now: seatrial validate {uri}"
            )
        return cls(match[1], int(match[2]), int(match[3]), uri)


@dataclass(frozen=True)
class Facts:
    """The content of a verdict. Digests are ``sha256:<hex>``, or empty where the trial did not compute them."""

    outcome: Outcome
    summary: str
    digest: str = ""
    policy_digest: str = ""
    reference_digest: str = ""
    evidence_digest: str = ""
    code_digest: str = ""


@dataclass(frozen=True)
class Signed:
    """A signed statement, as it is committed with its verdict.

    Attributes:
        number: of the verdict among those of its subject, from 1.
        digest: of the statement.
        previous: the digest of the statement before; empty for the first.
        content: its envelope.
    """

    number: int
    digest: str
    previous: str
    content: bytes


class Overtaken(SeatrialError):
    """Another verdict of the subject was committed since its latest number was read: sign again with the next."""


@dataclass(frozen=True)
class StoredVerdict:
    """A committed verdict; ``created_at`` is in seconds since 1970, ``order`` counts those of its version."""

    name: str
    number: str
    created: int
    epoch: int
    facts: Facts
    created_at: float
    order: int

    @property
    def outcome(self) -> Outcome:
        """The outcome."""
        return self.facts.outcome


@dataclass(frozen=True)
class OutboxEffect:
    """A change that a verdict makes in the registry.

    Attributes:
        id: its position in the outbox.
        key: of the verdict's run, unique.
        kind: for example ``tags`` or ``alias``.
        body: the arguments, as JSON.
        version: the version that is changed.
        digest: of the content that was validated.
        results: of the verdict's earlier effects, by kind.
    """

    id: int
    token: int
    key: str
    kind: str
    body: Mapping[str, Any]
    version: Job
    digest: str
    attempt: int
    results: Mapping[str, str] = field(default_factory=dict)

    @property
    def tracker(self) -> str:
        """The name of the tracker that it is for, one of the project's; empty for the registry."""
        return self.kind.partition(":")[2]


JOB: ContextVar[Job | None] = ContextVar("seatrial_job", default=None)
"""The claimed job that a validation in this context belongs to; None when a person started it."""
