"""The types of two schemas: each alternative is compared with those that can hold its values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from seatrial.openapi.changes import Compat, ContractChange, Effect, SchemaPair
from seatrial.openapi.references import UnreadableError
from seatrial.openapi.schemas.alternatives import ANY, NAME
from seatrial.openapi.schemas.conformance import conforms
from seatrial.openapi.schemas.merging import kind_of
from seatrial.openapi.silent import canonical

Alternative = Mapping[str, Any]
One = Callable[[SchemaPair, Alternative, Alternative], Iterator[ContractChange]]
_WORDS = {
    "string": {"minLength", "maxLength", "pattern", "format"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "array": {"minItems", "maxItems", "uniqueItems", "items"},
    "object": {"minProperties", "maxProperties", "properties", "required", "additionalProperties"},
}
_NUMERIC = {"integer": "number", "number": "number"}


def types(
    pair: SchemaPair, old: Sequence[Alternative], new: Sequence[Alternative], one: One
) -> Iterator[ContractChange]:
    """Yield what changed from the alternatives of one schema to those of another.

    Args:
        pair: the position.
        old: the alternatives of the first schema.
        new: the alternatives of the second schema.
        one: compares two alternatives of one type.
    """
    before, after = _by_type(old), _by_type(new)
    kinds, now = sorted(set(before) - {"null"}), sorted(set(after) - {"null"})
    if "null" in before and "null" not in after and ANY not in after:
        yield pair.change("nullable", Effect.NARROWER, "It could be null and no longer can.")
    if "null" in after and "null" not in before and ANY not in before:
        yield pair.change("nullable", Effect.WIDER, "It could not be null and now can.")
    if kinds != now:
        yield pair.change("type", _effect(set(kinds), set(now)), f"It was {_named(kinds)} and is {_named(now)}.")
    for kind in (k for k in kinds if k in after):
        yield from _same_type(pair, before[kind], after[kind], one)
    yield from _held(pair, before, after, one)


def _effect(old: set[str], new: set[str]) -> Effect:
    """Return how a set of types changed; an integer is a number."""

    def fits(kinds: set[str], into: set[str]) -> bool:
        return ANY in into or all(k in into or (k == "integer" and "number" in into) for k in kinds)

    if fits(old, new):
        return Effect.WIDER
    return Effect.NARROWER if fits(new, old) else Effect.DIFFERENT


def _held(
    pair: SchemaPair, before: dict[str, list[Alternative]], after: dict[str, list[Alternative]], one: One
) -> Iterator[ContractChange]:
    """Compare alternatives whose type is gone with those of a wider type, as an integer with a number.

    In a request those of before are to be held by those of now, in a response the other way round.
    """
    request = pair.side == "request"
    small, large = (before, after) if request else (after, before)
    for kind in (k for k in small if k not in large):
        holders = [*(large.get("number", []) if kind == "integer" else []), *large.get(ANY, [])]
        for each in small[kind] if holders else ():
            tries = [list(_between(pair, each, _for(kind, h), one)) for h in holders]
            missed = [[c for c in found if c.compat is not Compat.COMPATIBLE] for found in tries]
            if all(missed):
                yield from min(missed, key=len) if len(missed) == 1 else [_several(pair)]


def _between(pair: SchemaPair, small: Alternative, large: Alternative, one: One) -> Iterator[ContractChange]:
    """Compare an alternative with the one that is to hold it."""
    old, new = (small, large) if pair.side == "request" else (large, small)
    yield from _one(pair, old, new, one)


def _for(kind: str, schema: Alternative) -> Alternative:
    """Return what a schema of any type says about one type."""
    if schema["type"] != ANY:
        return schema
    mine = _WORDS.get(_NUMERIC.get(kind, kind), set())
    others = set().union(*_WORDS.values()) - mine
    return {k: v for k, v in schema.items() if k not in others}


def _same_type(
    pair: SchemaPair, old: Sequence[Alternative], new: Sequence[Alternative], one: One
) -> Iterator[ContractChange]:
    """Compare alternatives of one type: each is to be held by one of the other side."""
    if len(old) == len(new) == 1:
        yield from _one(pair, old[0], new[0], one)
        return
    small, large = (old, new) if pair.side == "request" else (new, old)
    tries = [[list(_between(pair, s, each, one)) for each in large] for s in small]
    held = [any(all(c.compat is Compat.COMPATIBLE for c in found) for found in row) for row in tries]
    equal = all(any(not found for found in row) for row in tries)
    if all(held):
        if not equal or not all(any(not row[n] for row in tries) for n in range(len(large))):
            yield pair.change("alternative", Compat.COMPATIBLE, "Its alternatives of one type changed.")
        return
    titles = [[str(a.get("title", "")) for a in side] for side in (old, new)]
    free = [n for n in range(len(large)) if not any(not row[n] for row in tries)]
    missed = [n for n, fine in enumerate(held) if not fine]
    if all(all(t) and len(set(t)) == len(t) for t in titles):
        yield from _titled(pair, dict(zip(titles[0], old, strict=True)), dict(zip(titles[1], new, strict=True)), one)
    elif len(missed) == len(free) == 1:
        yield from tries[missed[0]][free[0]]
    elif [canonical(o) for o in old] == [canonical(n) for n in new]:
        for each, other in zip(old, new, strict=True):  # alike in words, and what they refer to is not
            yield from _one(pair, each, other, one)
    else:
        yield _several(pair)


def _titled(
    pair: SchemaPair, old: dict[str, Alternative], new: dict[str, Alternative], one: One
) -> Iterator[ContractChange]:
    for title, each in old.items():
        if title in new:
            yield from _one(pair, each, new[title], one)
        else:
            yield pair.change("alternative", Effect.NARROWER, f"The alternative '{title}' is gone.")
    for title in (t for t in new if t not in old):
        yield pair.change("alternative", Effect.WIDER, f"The alternative '{title}' is new.")


def _one(pair: SchemaPair, old: Alternative, new: Alternative, one: One) -> Iterator[ContractChange]:
    """Compare two alternatives; where the smaller one is a list of values, each of them is tried."""
    request = pair.side == "request"
    small, large = (old, new) if request else (new, old)
    values = small.get("enum")
    if values is None or "enum" in large or any(kind_of(v) in ("object", "array") for v in values):
        yield from one(pair, old, new)
        return
    try:
        free = [v for v in values if _allows(pair.after if request else pair.before, large, v)]
        own = [v for v in values if _allows(pair.before if request else pair.after, small, v)]
    except UnreadableError:
        yield from one(pair, old, new)
        return
    if odd := [canonical(v) for v in own if v not in free]:
        words = f"{'No longer' if request else 'New'} among its values: {', '.join(odd[:5])[:200]}."
        yield pair.change("enum", Compat.BREAKING, words)
        return
    told = "held to" if "enum" in new else "no longer held to"
    yield pair.change("enum", Compat.COMPATIBLE, f"It is {told} a list of values.")
    if old.get("format") != new.get("format"):
        yield from (c for c in one(pair, old, new) if c.kind == "format")


def _allows(document: Mapping[str, Any], schema: Alternative, value: Any) -> bool:
    plain = {k: v for k, v in schema.items() if not (k == "type" and v == ANY)}
    return not conforms(document, plain, value)


def exclusive(
    pair: SchemaPair, old: Sequence[Alternative], new: Sequence[Alternative], found: Sequence[ContractChange]
) -> Iterator[ContractChange]:
    """Yield the changes of alternatives of which exactly one must fit, where a value may fit several.

    By the letter, a value that fits two of them is refused; who writes so means the schemas by their names. A name that
    is gone from a request, or new in a response, breaks; whether other changes do is not decided by the alternatives.
    """
    was, now = ({str(a[NAME]): a for a in side if NAME in a} for side in (old, new))
    gone, come = _unnamed(was, now), _unnamed(now, was)
    for name in gone:
        compat = Compat.BREAKING if pair.side == "request" else Compat.UNKNOWN
        yield pair.change("alternative", compat, f"The alternative '{name}' is gone.")
    for name in come:
        compat = Compat.BREAKING if pair.side == "response" else Compat.UNKNOWN
        yield pair.change("alternative", compat, f"The alternative '{name}' is new.")
    if not (gone or come) and (found or len(old) != len(new)):
        told = "; ".join(dict.fromkeys(c.message.rstrip(".") for c in found))[:200] or "their number is another"
        words = f"Of its alternatives exactly one must fit, more than one may, and they changed: {told}."
        yield pair.change("alternative", Compat.UNKNOWN, words)


def _unnamed(names: Mapping[str, Alternative], others: Mapping[str, Alternative]) -> list[str]:
    """Return the names that the other side lacks; one that is there under a new name is no loss."""
    new = [_look(schema) for name, schema in others.items() if name not in names]
    return [name for name, schema in names.items() if name not in others and _look(schema) not in new]


def _look(schema: Alternative) -> str:
    return canonical({k: v for k, v in schema.items() if k not in (NAME, "title", "description")})


def _several(pair: SchemaPair) -> ContractChange:
    return pair.change("alternative", Effect.UNKNOWN, "It has several alternatives of one type, and they changed.")


def _by_type(found: Sequence[Alternative]) -> dict[str, list[Alternative]]:
    out: dict[str, list[Alternative]] = {}
    for each in found:
        out.setdefault(str(each["type"]), []).append(each)
    return out


def _named(kinds: list[str]) -> str:
    return " or ".join(kinds) or "nothing"
