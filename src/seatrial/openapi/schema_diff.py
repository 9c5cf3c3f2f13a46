"""Two schemas of the same thing: what became narrower, what wider, and what that means to those who rely on it.

A request that was accepted must still be accepted, so a narrower request breaks. An answer that comes must be one that
could have come before, so a wider answer breaks. What cannot be decided is *unknown*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from seatrial.openapi.bounds import limits
from seatrial.openapi.changes import Compat, ContractChange, Effect, SchemaPair
from seatrial.openapi.schema import ANNOTATIONS, ANY, UnreadableError, alternatives, canonical, resolve

DEEPEST = 40


def compare(pair: SchemaPair, old: Any, new: Any) -> Iterator[ContractChange]:
    """Yield the changes from one schema to the other; nothing where they are equivalent."""
    names = tuple(s["$ref"] if isinstance(s, Mapping) and "$ref" in s else "" for s in (old, new))
    if all(names):
        if (names[0], names[1]) in pair.way:  # a schema that holds itself
            return
        pair = replace(pair, way=pair.way | {(names[0], names[1])})
    if pair.at.count(".") + pair.at.count("[]") > DEEPEST:
        yield pair.change("unreadable", Effect.UNKNOWN, "It is nested too deeply to compare.")
        return
    try:
        before, after = alternatives(pair.before, old), alternatives(pair.after, new)
        yield from _told(pair, resolve(pair.before, old), resolve(pair.after, new))
    except UnreadableError as error:
        if canonical(old) != canonical(new) or pair.before != pair.after:
            yield pair.change("unreadable", Effect.UNKNOWN, f"It cannot be compared: {error}.")
        return
    yield from _types(pair, before, after)


def _told(pair: SchemaPair, old: Any, new: Any) -> Iterator[ContractChange]:
    """Yield changes of the annotations: the default value and the unit."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return
    if pair.side == "request" and old.get("default") != new.get("default") and old.get("default") is not None:
        yield pair.change("default", Compat.BREAKING, "The default value changed.")
    for word in ("x-unit", "x-units"):
        if old.get(word) != new.get(word) and old.get(word) is not None:
            yield pair.change("unit", Compat.BREAKING, f"The unit was '{old[word]}' and is '{new.get(word)}'.")
    before, after = str(old.get("description", "")), str(new.get("description", ""))
    if before and before != after and pair.at:
        yield pair.change("meaning", Compat.UNKNOWN, f"Its description was '{before[:80]}' and is '{after[:80]}'.")


def _types(pair: SchemaPair, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[ContractChange]:
    before, after = _by_type(old), _by_type(new)
    kinds, now = sorted(set(before) - {"null"}), sorted(set(after) - {"null"})
    if "null" in before and "null" not in after and ANY not in after:
        yield pair.change("nullable", Effect.NARROWER, "It could be null and no longer can.")
    if "null" in after and "null" not in before and ANY not in before:
        yield pair.change("nullable", Effect.WIDER, "It could not be null and now can.")
    if kinds != now:
        effect = _effect(set(kinds), set(now))
        yield pair.change("type", effect, f"It was {_named(kinds)} and is {_named(now)}.")
        if (kinds == ["integer"] and now == ["number"]) or (kinds == ["number"] and now == ["integer"]):
            yield from limits(pair, before[kinds[0]][0], after[now[0]][0])
    for kind in (k for k in kinds if k in after):
        yield from _same_type(pair, before[kind], after[kind])


def _effect(old: set[str], new: set[str]) -> Effect:
    """Return how a set of types changed; an integer is a number."""

    def fits(kinds: set[str], into: set[str]) -> bool:
        return ANY in into or all(k in into or (k == "integer" and "number" in into) for k in kinds)

    if fits(old, new):
        return Effect.WIDER
    return Effect.NARROWER if fits(new, old) else Effect.DIFFERENT


def _same_type(pair: SchemaPair, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[ContractChange]:
    """Compare alternatives of one type: those that stayed fall out, one that remains on each side is compared."""
    if pair.before == pair.after:
        same = {canonical(o) for o in old} & {canonical(n) for n in new}
        old = [o for o in old if canonical(o) not in same]
        new = [n for n in new if canonical(n) not in same]
    if len(old) == len(new) == 1:
        yield from _one(pair, old[0], new[0])
        return
    titles = [[str(a.get("title", "")) for a in side] for side in (old, new)]
    if all(all(t) and len(set(t)) == len(t) for t in titles):
        named = dict(zip(titles[1], new, strict=True))
        for title, each in zip(titles[0], old, strict=True):
            if title in named:
                yield from _one(pair, each, named.pop(title))
            else:
                yield pair.change("alternative", Effect.NARROWER, f"The alternative '{title}' is gone.")
        for title in named:
            yield pair.change("alternative", Effect.WIDER, f"The alternative '{title}' is new.")
    elif [canonical(o) for o in old] == [canonical(n) for n in new]:
        for each, other in zip(old, new, strict=True):  # alike in words, and what they refer to may not be
            yield from _one(pair, each, other)
    else:
        yield pair.change("alternative", Effect.UNKNOWN, "It has several alternatives of one type, and they changed.")


def _one(pair: SchemaPair, old: dict[str, Any], new: dict[str, Any]) -> Iterator[ContractChange]:
    yield from limits(pair, old, new)
    if old["type"] == "object":
        yield from _objects(pair, old, new)
    if old["type"] == "array" and ("items" in old or "items" in new):
        yield from compare(pair.inside("[]"), old.get("items", True), new.get("items", True))


def _objects(pair: SchemaPair, old: dict[str, Any], new: dict[str, Any]) -> Iterator[ContractChange]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed, needs = set(old.get("required", [])), set(new.get("required", []))
    gone, come = [p for p in before if p not in after], [p for p in after if p not in before]
    was, now = old.get("additionalProperties", True), new.get("additionalProperties", True)
    for name in gone:
        to = _renamed(pair, before[name], {c: after[c] for c in come})
        words = f"'{name}' is gone" + (f"; it may be called '{to}' now." if to else ".")
        yield pair.inside(name).change("renamed" if to else "removed", _lost(pair, name in needed, now), words)
    for name in come:
        if pair.side == "request":
            compat = Compat.BREAKING if name in needs else Compat.COMPATIBLE
            words = f"'{name}' is new and {'required' if name in needs else 'optional'}."
        else:
            compat, words = (Compat.BREAKING if was is False else Compat.COMPATIBLE), f"'{name}' is new."
        yield pair.inside(name).change("added", compat, words)
    for name in (p for p in before if p in after):
        inner = pair.inside(name)
        if name in needs - needed:
            yield inner.change("required", Effect.NARROWER, f"'{name}' was optional and is required.")
        if name in needed - needs:
            yield inner.change("required", Effect.WIDER, f"'{name}' was always there and is optional.")
        yield from compare(inner, before[name], after[name])
    for name in sorted((needs - needed) - set(before) - set(after)):
        yield pair.inside(name).change("required", Effect.NARROWER, f"'{name}' is required.")
    yield from _further(pair, was, now)


def _lost(pair: SchemaPair, needed: bool, now: Any) -> Compat:
    """Return what the loss of a field means: a request with it may be refused, an answer without it misses it."""
    if pair.side == "request":
        return Compat.BREAKING if now is False else Compat.UNKNOWN  # accepted still, and no longer read
    return Compat.BREAKING if needed else Compat.UNKNOWN


def _further(pair: SchemaPair, was: Any, now: Any) -> Iterator[ContractChange]:
    """Compare the rules for fields that are not named."""
    if (was is False) != (now is False):
        words = "Further fields are refused now." if now is False else "Further fields were excluded and may come now."
        yield pair.change("further-fields", Effect.NARROWER if now is False else Effect.MAYBE_WIDER, words)
    elif isinstance(was, Mapping) or isinstance(now, Mapping):
        yield from compare(pair.inside("*"), was, now)


def _renamed(pair: SchemaPair, lost: Any, come: Mapping[str, Any]) -> str:
    """Return the only new field that looks as the lost one did."""

    def look(document: Mapping[str, Any], schema: Any) -> str:
        bare = resolve(document, schema)
        return canonical({k: v for k, v in bare.items() if k not in ANNOTATIONS} if isinstance(bare, Mapping) else bare)

    try:
        alike = [n for n, s in come.items() if look(pair.after, s) == look(pair.before, lost)]
    except UnreadableError:
        return ""
    return alike[0] if len(alike) == 1 else ""


def _by_type(found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    out: dict[str, list[dict[str, Any]]] = {}
    for each in found:
        out.setdefault(each["type"], []).append(each)
    return out


def _named(kinds: list[str]) -> str:
    return " or ".join(kinds) or "nothing"
