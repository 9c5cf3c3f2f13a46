"""Two schemas of the same thing: what became narrower, what wider, and what that means to those who rely on it.

A request that was accepted must still be accepted, so a narrower request breaks. An answer that comes must be one that
could have come before, so a wider answer breaks. What cannot be decided is *unknown*, unless a value proves that it
breaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from seatrial.openapi.changes import Compat, ContractChange, Effect, SchemaPair
from seatrial.openapi.references import UnreadableError, closure, resolve
from seatrial.openapi.schemas.alternatives import OVERLAP, alternatives
from seatrial.openapi.schemas.bounds import limits
from seatrial.openapi.schemas.kinds import exclusive, types
from seatrial.openapi.schemas.notes import meaning, notes
from seatrial.openapi.schemas.objects import objects
from seatrial.openapi.schemas.witness import witness
from seatrial.openapi.silent import bare, same

DEEPEST = 40


def compare(pair: SchemaPair, old: Any, new: Any) -> Iterator[ContractChange]:
    """Yield the changes from one schema to the other; nothing where they are equivalent."""
    names = tuple(s["$ref"] if isinstance(s, Mapping) and "$ref" in s else "" for s in (old, new))
    if all(names):
        if (names[0], names[1]) in pair.way:  # a schema that holds itself
            return
        pair = replace(pair, way=pair.way | {(names[0], names[1])})
    if closure(pair.before, old) == closure(pair.after, new):
        return
    if pair.at.count(".") + pair.at.count("[]") > DEEPEST:
        yield pair.change("unreadable", Effect.UNKNOWN, "It is nested too deeply to compare.")
        return
    yield from _proven(pair, old, new, list(_changes(pair, old, new)))


def _changes(pair: SchemaPair, old: Any, new: Any) -> Iterator[ContractChange]:
    try:
        before, after = alternatives(pair.before, old), alternatives(pair.after, new)
        yield from meaning(pair, resolve(pair.before, old), resolve(pair.after, new))
    except UnreadableError as error:
        if closure(pair.before, bare(old)) != closure(pair.after, bare(new)):
            yield pair.change("unreadable", Effect.UNKNOWN, f"It cannot be compared: {error}.")
        return
    yield from notes(pair, before, after)
    found = list(types(pair, before, after, _one))
    if any(OVERLAP in each for each in (*before, *after)):
        yield from exclusive(pair, before, after, found)
    else:
        yield from found


def _one(pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    """Yield the changes from one alternative to another of a type that can hold it."""
    yield from limits(pair, old, new)
    yield from objects(pair, old, new, compare)
    if "items" in old or "items" in new:
        yield from compare(pair.inside("[]").step("items"), old.get("items", True), new.get("items", True))
    if not same(old.get("contentSchema"), new.get("contentSchema")):
        inner = pair.step("contentSchema")
        yield from compare(inner, old.get("contentSchema", True), new.get("contentSchema", True))


def _proven(pair: SchemaPair, old: Any, new: Any, found: list[ContractChange]) -> Iterator[ContractChange]:
    """Yield the changes; those here that are unknown as breaking, where a value proves that one of them is."""
    here = [c for c in found if c.compat is Compat.UNKNOWN and c.kind in _PROVABLE and c.path.startswith(pair.path)
            and c.field == pair.at]  # fmt: skip
    value = None
    if here and not any(c.compat is Compat.BREAKING for c in found):
        places = (pair.before, old), (pair.after, new)
        request = pair.side == "request"
        value = witness(*(places if request else places[::-1]), side=pair.side)
    if value is None:
        yield from found
        return
    told = (
        f"{value} was {'accepted' if request else 'never answered'} and {'is refused' if request else 'may come'} now."
    )
    yield from (c for c in found if c not in here)
    words = " ".join(dict.fromkeys(c.message for c in here))
    yield replace(here[0], compat=Compat.BREAKING, message=f"{words} For example, {told}")


_PROVABLE = frozenset({"unjudged", "unreadable", "alternative", "pattern", "multipleOf", "untyped"})
