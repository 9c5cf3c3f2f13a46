"""The order of statements: links and numbers, whatever is missing, forged, or signed by somebody else."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from seatrial.events import Outcome
from seatrial.promotion.attestation import Link, Statement
from seatrial.promotion.chain import CannotTell, Tip, chain_of
from seatrial.promotion.code import Code

URI = "models:/shop/1"


def statement(number: int, previous: str = "", *, digest: str = "", trusted: bool = True) -> Statement:
    return Statement(
        digest or f"d{number}", trusted, "key", "shop", "1", 17, "m", Code({}), "c", "p", "r", "e", {}, Outcome.PASS,
        1_000 - number, Link("ledger", number, number, previous),
    )  # fmt: skip


def chain(length: int) -> list[Statement]:
    """Return linked statements, the oldest first."""
    return [statement(n, f"d{n - 1}" if n > 1 else "") for n in range(1, length + 1)]


def numbers(statements: list[Statement], *tips: Tip) -> list[int]:
    return [s.link.number for s in chain_of(statements, tips, URI).linked]


@pytest.mark.parametrize("seed", range(5))
def test_the_links_are_the_order(seed: int) -> None:
    """Found in any order, signed by clocks that run backwards."""
    found = chain(6)
    random.Random(seed).shuffle(found)
    assert numbers(found, Tip("the ledger", 6, "d6")) == [6, 5, 4, 3, 2, 1]


def test_nothing_is_nothing() -> None:
    """Without a statement and a tip there is no order; with a tip alone the newest is missing."""
    assert numbers([]) == []
    with pytest.raises(CannotTell, match=r"Statement 2 .* missing"):
        numbers([], Tip("the signed head", 2, "d2"))


def test_a_missing_newest_cannot_be_told_and_a_missing_older_one_ends_the_chain() -> None:
    """What lies behind the gap is not counted."""
    found = chain(4)
    with pytest.raises(CannotTell, match="by the signed head"):
        numbers(found[:3], Tip("the signed head", 4, "d4"))
    assert numbers([found[0], found[1], found[3]], Tip("the ledger", 4, "d4")) == [4]


@pytest.mark.parametrize("rival", [statement(3, "d2", digest="other"), statement(2, digest="another line")])
def test_what_may_be_later_than_a_statement_leaves_it_unsettled(rival: Statement) -> None:
    """Of another line, with the same number or a higher one; a lower one is earlier, since numbers only grow."""
    found = chain_of([*chain(3), rival], [Tip("the ledger", 3, "d3")], URI)
    for each in found.linked:
        if each.link.number > rival.link.number:
            found.settles(each, URI)
        else:
            with pytest.raises(CannotTell, match="do not form one chain"):
                found.settles(each, URI)


def test_a_head_that_is_not_on_the_chain_leaves_it_unsettled() -> None:
    """It says that there was another statement of that number."""
    found = chain_of(chain(3), [Tip("the ledger", 3, "d3"), Tip("the signed head", 3, "other")], URI)
    with pytest.raises(CannotTell, match="the signed head has number 3"):
        found.settles(found.linked[0], URI)


def test_a_newer_one_of_an_unknown_key_cannot_be_told() -> None:
    """Also one of the same number; an older one, which anybody can write, is nothing."""
    theirs = statement(4, "d3", trusted=False)
    for rival in (theirs, replace(theirs, link=Link("ledger", 0, 3, "x"))):
        with pytest.raises(CannotTell, match="key that is not trusted"):
            numbers([*chain(3), rival], Tip("the ledger", 3, "d3"))
    older = replace(theirs, link=Link("ledger", 0, 2, "x"))
    assert numbers([*chain(3), older], Tip("the ledger", 3, "d3")) == [3, 2, 1]
    with pytest.raises(CannotTell, match="key that is not trusted"):
        numbers([*chain(3), theirs], Tip("the ledger", 4, "d4"))
    with pytest.raises(CannotTell, match="key that is not trusted"):
        numbers([theirs])


def test_a_link_of_the_chain_that_an_unknown_key_signed_ends_it() -> None:
    """It is as it was signed, and its signer has no say."""
    first, second, third = chain(3)
    assert numbers([first, replace(second, trusted=False), third], Tip("the ledger", 3, "d3")) == [3]


def test_links_in_a_circle_end() -> None:
    """A number never grows on the way back."""
    assert numbers([statement(2, "d2")], Tip("the ledger", 2, "d2")) == [2]
