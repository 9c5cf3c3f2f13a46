"""Heads: the signed word on which statement about a version is the newest, fresh for a limited time.

This is the timestamp role of The Update Framework: whoever can write to the registry can put back an older head, but
not one that is still fresh after its time. Reconciling renews them; https://theupdateframework.github.io/specification.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seatrial import registry
from seatrial.errors import RegistryError, UsageError
from seatrial.io.files import atomic_write
from seatrial.ledger import Ledger, identity
from seatrial.project import Project
from seatrial.promotion.envelope import InvalidEnvelope, open_envelope, seal
from seatrial.promotion.keyring import signing_key

if TYPE_CHECKING:
    from securesystemslib.signer import Key

TAG = "seatrial.head"  # of a version
KIND = "application/vnd.seatrial.head+json"
HOUR = 3_600.0
AT_ONCE = 100  # heads that one pass renews, with two requests each; the next pass renews the rest


class Head(BaseModel):
    """The newest statement about a version, and until when that is known; ``expires`` is in milliseconds since 1970."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    model: str
    version: str
    created: int
    ledger: str
    number: int = Field(ge=1)
    digest: str
    expires: int


@dataclass(frozen=True)
class SignedHead:
    """A head with its envelope, and whether a key of the ring signed it."""

    head: Head
    trusted: bool
    content: bytes


def renew_heads(ledger: Ledger, project: Project, subject: str = "") -> list[str]:
    """Sign a new head for each version whose own is behind or half through its time; return what went wrong.

    Args:
        ledger: knows the statements and the heads.
        project: has the signing key, and says how long a head is fresh.
        subject: only this version.

    Raises:
        UsageError: the signing key cannot be used.
    """
    seconds = project.head_hours * HOUR
    due = ledger.due_heads(seconds / 2, AT_ONCE, subject)
    if not due:
        return []
    signer, ledger_id, problems = signing_key(project.state), ledger.id, list[str]()
    for version, number, digest in due:
        expires_at = ledger.now() + seconds
        head = Head(
            model=version.name, version=version.number, created=version.created, ledger=ledger_id, number=number,
            digest=digest, expires=int(expires_at * 1000),
        )  # fmt: skip
        here = registry.of(version.uri)
        try:
            there = registry.present(version.uri)
            if there is not None and identity(there) == version.subject:
                text = seal(head.model_dump(), KIND, signer).decode()
                here.annotate(there, {TAG: text})
        except RegistryError as error:
            problems.append(f"The signed head of {version.uri} could not be renewed: {error}")
            if not registry.reachable(version.uri):
                break
            continue
        ledger.record_head(version.subject, number, expires_at)
    return problems


def read_head(content: bytes, ring: Sequence[Key]) -> SignedHead:
    """Return the head in an envelope.

    Raises:
        InvalidEnvelope: there is none in it.
    """
    opened = open_envelope(content, ring)
    try:
        head = Head.model_validate(opened.body)
    except ValidationError as error:
        raise InvalidEnvelope("The envelope contains no head of seatrial.") from error
    if opened.kind != KIND:
        raise InvalidEnvelope("The envelope contains no head of seatrial.")
    return SignedHead(head, opened.trusted, content)


def remember(state: Path, subject: str, content: bytes) -> None:
    """Keep the newest head that was seen, so that an older one is noticed; a read-only directory keeps none."""
    with contextlib.suppress(UsageError):
        atomic_write(_memory(state, subject), content)


def remembered(state: Path, subject: str) -> bytes:
    """Return the head that was kept; empty where there is none."""
    path = _memory(state, subject)
    return path.read_bytes() if path.is_file() else b""


def _memory(state: Path, subject: str) -> Path:
    return state / "heads" / f"{subject}.json"
