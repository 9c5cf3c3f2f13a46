"""What registry and ledger say of a version: its statements, and which of them is the newest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial import registry
from seatrial.ledger import Ledger, identity
from seatrial.promotion import attestation, head
from seatrial.promotion.attestation import Statement
from seatrial.promotion.chain import Tip
from seatrial.promotion.envelope import MAX_BYTES, InvalidEnvelope
from seatrial.promotion.head import SignedHead
from seatrial.registry import Version

if TYPE_CHECKING:
    from securesystemslib.signer import Key


@dataclass(frozen=True)
class Testimony:
    """What ledger and registry say of a version.

    Attributes:
        statements: about it, trusted or not, by digest.
        others: how many signed statements are about other versions.
        invalid: how many envelopes contain none.
        ledger: the newest statement in the ledger; None where it has none, or was not reached.
        reached: whether the ledger was, and does not leave the version to another one.
        head: the head in the registry, trusted; None where there is none.
        kept: the newest head that was seen here before.
    """

    statements: Mapping[str, Statement]
    others: int
    invalid: int
    ledger: Tip | None
    reached: bool
    head: SignedHead | None
    kept: SignedHead | None

    @property
    def tips(self) -> list[Tip]:
        """What each of them says is the newest statement."""
        heads = [("the signed head", self.head), ("a signed head that was seen here before", self.kept)]
        said = [Tip(source, each.head.number, each.head.digest) for source, each in heads if each is not None]
        return [*([self.ledger] if self.ledger else []), *said]


def testimony(state: Path, version: Version, ring: Sequence[Key], ledger: Ledger | None) -> Testimony:
    """Return what registry and ledger say of a version, and remember the newest head in the state directory.

    Raises:
        RegistryError: the registry does not answer.
    """
    subject = identity(version)
    kept = _head(version, head.remembered(state, subject), ring)
    shown = shown_head(version, ring)
    if shown is not None and (kept is None or shown.head.number >= kept.head.number):
        head.remember(state, subject, shown.content)
    signed = ledger.statements(subject) if ledger else []
    own, others, invalid = dict[str, Statement](), 0, 0
    for content in (*(s.content for s in signed), *envelopes(version)):
        try:
            read = attestation.read(content, ring)
        except InvalidEnvelope:
            invalid += 1
            continue
        if (read.model, read.version, read.created) != (version.name, version.number, version.created):
            others += 1
        elif read.digest not in own or read.trusted:
            own[read.digest] = read
    tip = Tip("the ledger", signed[0].number, signed[0].digest) if signed else None
    reached = ledger is not None and (tip is not None or not ledger.relies(subject))
    return Testimony(own, others, invalid, tip, reached, shown, kept)


def shown_head(version: Version, ring: Sequence[Key]) -> SignedHead | None:
    """Return the head that the registry shows; None where there is none about this version under a trusted key.

    Raises:
        RegistryError: the registry does not answer.
    """
    now = registry.present(version.uri)
    return _head(version, now.tags.get(head.TAG, "").encode() if now else b"", ring)


def envelopes(version: Version) -> Iterator[bytes]:
    """Return the envelopes of the version's newest runs, whoever wrote them; bounded in number and size.

    Raises:
        RegistryError: the registry does not answer.
    """
    store = registry.run_store(version.uri)
    return store.artifacts(version, attestation.FILE, most_bytes=MAX_BYTES) if store else iter(())


def _head(version: Version, content: bytes, ring: Sequence[Key]) -> SignedHead | None:
    """Return a head of this very version that a trusted key signed; None where the content is anything else."""
    try:
        read = head.read_head(content, ring) if content else None
    except InvalidEnvelope:
        return None
    if read is None or not read.trusted:
        return None
    about = (read.head.model, read.head.version, read.head.created)
    return read if about == (version.name, version.number, version.created) else None
