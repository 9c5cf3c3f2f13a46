"""What goes into the ledger and what comes out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

from seatrial.errors import SeatrialError
from seatrial.events import Outcome


class Fenced(SeatrialError):
    """The lease ran out and somebody else has the job: whatever was found here counts for nothing."""


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
        """The run that logged it, or nothing."""

    @property
    def model_id(self) -> str:
        """The LoggedModel behind it, or nothing."""

    @property
    def scheme(self) -> str:
        """Of its address, by which its registry is found."""


def identity(version: Registered) -> str:
    """Return the subject's id: a digest of all that a version keeps for life.

    Name and number come again after a deletion. The registry's address is left out: one registry is reached by more
    than one, and the server of a laptop has another port every day.
    """
    parts = [version.name, str(version.number), int(version.created), version.run_id, version.model_id]
    return sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


@dataclass(frozen=True)
class Job:
    """A claimed job: validate this version, and commit with this token before the lease ends.

    ``attempt`` counts from 1. A job whose last attempt died is claimed once more, ``exhausted``: to be given the
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
        """``models:/name/number``, with its registry's scheme."""
        return f"{self.scheme}:/{self.name}/{self.number}"

    @property
    def key(self) -> str:
        """What tells this verdict from every other: subject and epoch."""
        return f"{self.subject}/{self.epoch}"


@dataclass(frozen=True)
class Facts:
    """Of a verdict. Digests are ``sha256:<hex>``, or empty where the trial did not get that far."""

    outcome: Outcome
    summary: str
    digest: str = ""
    policy_digest: str = ""
    reference_digest: str = ""
    evidence_digest: str = ""


@dataclass(frozen=True)
class StoredVerdict:
    """A verdict as the ledger keeps it; ``created_at`` is in seconds since 1970."""

    name: str
    number: str
    created: int
    epoch: int
    facts: Facts
    created_at: float

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return self.facts.outcome


@dataclass(frozen=True)
class Effect:
    """Something to tell the world because of a verdict.

    Attributes:
        id: its place in the outbox.
        key: subject and epoch of the verdict.
        kind: what to do, such as ``tags`` or ``alias:champion``.
        body: with what.
        version: of which version.
        digest: of the content that was judged.
        results: what the verdict's earlier effects gave, by kind.
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


JOB: ContextVar[Job | None] = ContextVar("seatrial_job", default=None)
"""The claimed job that a validation in this context is for; none when a person asked for it."""
