"""The order of a version's statements: by the links between them, never by a clock.

Each statement has a number and names the digest of the one before. A *tip* is what somebody trusted says of the newest
one: the ledger, or a signed head. What is missing between the tip and the statements that are found is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seatrial.errors import SeatrialError
from seatrial.promotion.attestation import Statement
from seatrial.promotion.keyring import PUBLIC_KEY, SHORT_ID


class CannotTell(SeatrialError):
    """Whether a version may be used cannot be told: a statement is missing, or nobody vouches for the newest one."""


@dataclass(frozen=True)
class Tip:
    """The newest statement, by the word of ``source``, such as "the ledger"."""

    source: str
    number: int
    digest: str


@dataclass(frozen=True)
class Chain:
    """The statements about a version that are linked to its newest one, which comes first, and those that are not."""

    linked: tuple[Statement, ...]
    strays: tuple[Tip, ...] = ()

    def settles(self, statement: Statement, uri: str) -> None:
        """Raise CannotTell if one of the strays may be later than a statement of the chain.

        Whoever signs takes a number above all that the registry shows, so one with a lower number is earlier.
        """
        if later := [tip for tip in self.strays if tip.number >= statement.link.number]:
            raise CannotTell(
                f"The statements about {uri} do not form one chain: {later[0].source} has number {later[0].number}, "
                f"and the newest one, {self.linked[0].link.number}, does not follow from it. Was the ledger lost, or "
                f"are there two? Validate the version again: seatrial validate {uri}"
            )


def chain_of(statements: Iterable[Statement], tips: Sequence[Tip], uri: str) -> Chain:
    """Return the chain that ends with a version's newest statement; an empty one where there is none.

    Links are digests, so nothing between two statements can be exchanged. The chain ends before a statement that no
    trusted key signed: it has no say.

    Args:
        statements: about the version, wherever they were found, trusted or not.
        tips: of those who know which one is the newest.
        uri: of the version.

    Raises:
        CannotTell: the newest one is missing, or signed by an unknown key.
    """
    found = {s.digest: s for s in sorted(statements, key=lambda s: s.trusted)}
    claims = [Tip("a statement in the registry", s.link.number, d) for d, s in found.items() if s.trusted] + [*tips]
    top = max(claims, key=lambda tip: tip.number, default=None)
    unknown = [s for s in found.values() if not s.trusted and (top is None or s.digest != top.digest)]
    if rivals := [s for s in unknown if top is None or s.link.number >= top.number]:
        raise _unknown(max(rivals, key=lambda s: s.link.number), uri)
    if top is None:
        return Chain(())
    if top.digest not in found:
        raise CannotTell(
            f"Statement {top.number} about {uri} is missing. It is the newest one by {top.source}, and its run may "
            f"have been deleted from the registry. Validate the version again: seatrial validate {uri}"
        )
    if not found[top.digest].trusted:
        raise _unknown(found[top.digest], uri)
    linked = [found[top.digest]]
    while (before := found.get(linked[-1].link.previous)) and before.link.number < linked[-1].link.number:
        if not before.trusted:
            break  # it is as it was signed, but its signer has no say here
        linked.append(before)
    seen, lowest = {s.digest for s in linked}, linked[-1].link.number
    strays = tuple(tip for tip in claims if tip.digest not in seen and tip.number >= lowest)
    return Chain(tuple(linked), strays)


def _unknown(statement: Statement, uri: str) -> CannotTell:
    return CannotTell(
        f"Statement {statement.link.number} about {uri} is signed by a key that is not trusted here "
        f"({statement.keyid[:SHORT_ID]}…), or was changed after it was signed. If the key is a worker's or a new one, "
        f"add its public key to the ring: {PUBLIC_KEY}, or .seatrial/keys/."
    )
