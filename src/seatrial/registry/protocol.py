"""What every registry offers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seatrial.events import Subject
from seatrial.reference.snapshot import Reference

VALIDATED = "validated"  # the alias that every version gets on a pass


@dataclass(frozen=True)
class Version:
    """A registered model version, as the registry described it when it was asked."""

    name: str
    number: str
    created: int
    run_id: str
    model_id: str
    aliases: tuple[str, ...] = ()
    changed: int = 0  # when it last was, milliseconds since 1970
    registry: str = ""  # its address, without what may be secret in it

    @property
    def uri(self) -> str:
        """``models:/name/number``."""
        return f"models:/{self.name}/{self.number}"


@dataclass(frozen=True)
class Fetched:
    """A version's model and reference on this disk; the digest is of the model's files as we hashed them."""

    version: Version
    model: Path
    digest: str
    reference: Reference

    @property
    def subject(self) -> Subject:
        """Who is on trial."""
        return subject_of(self.version, self.digest)


def subject_of(version: Version, digest: str = "") -> Subject:
    """Return the subject that a version is, with the digest of its files where they were hashed."""
    return Subject(version.name, version.number, version.registry, version.created, digest)
