"""The fields of two objects: which are gone, which are new, which are required, and what else may come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from seatrial.openapi.changes import Compat, ContractChange, Effect, SchemaPair
from seatrial.openapi.references import UnreadableError, resolve
from seatrial.openapi.silent import bare, canonical

Compare = Callable[[SchemaPair, Any, Any], Iterator[ContractChange]]


def objects(
    pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any], compare: Compare
) -> Iterator[ContractChange]:
    """Yield what changed in the fields of two objects.

    A caller is taken to send the documented fields alone: a field that is new and optional breaks nobody. Neither does
    any change of a field that is never sent on this side, since it is read-only or write-only in both documents.
    """
    word = "readOnly" if pair.side == "request" else "writeOnly"
    sides = ((pair.before, old.get("properties", {})), (pair.after, new.get("properties", {})))
    names = {name for _, named in sides for name in named}
    unsent = {n for n in names if all(_is(document, named[n], word) for document, named in sides if n in named)}
    ways = tuple(_field(pair, name).path for name in unsent)
    for change in _fields(pair, old, new, compare):
        inside = any(change.path == way or change.path.startswith((f"{way}.", f"{way}[")) for way in ways)
        yield replace(change, compat=Compat.COMPATIBLE) if inside else change


def _fields(
    pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any], compare: Compare
) -> Iterator[ContractChange]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed, needs = _required(pair.before, old, pair.side), _required(pair.after, new, pair.side)
    gone, come = [p for p in before if p not in after], [p for p in after if p not in before]
    was, now = old.get("additionalProperties", True), new.get("additionalProperties", True)
    for name in gone:
        to = _renamed(pair, before[name], {c: after[c] for c in come})
        words = f"'{name}' is gone" + (f"; it may be called '{to}' now." if to else ".")
        inner = _field(pair, name)
        yield inner.change("renamed" if to else "removed", _lost(pair, name in needed, now), words)
        if isinstance(now, Mapping):
            yield from compare(inner, before[name], now)
    for name in come:
        inner = _field(pair, name)
        if pair.side == "request":
            compat = Compat.BREAKING if name in needs else Compat.COMPATIBLE
            words = f"'{name}' is new and {'required' if name in needs else 'optional'}."
        else:
            compat, words = (Compat.BREAKING if was is False else Compat.COMPATIBLE), f"'{name}' is new."
        yield inner.change("added", compat, words)
        if isinstance(was, Mapping):  # it could be sent before, and had to be of this form
            yield from compare(inner, was, after[name])
    for name in sorted((needs - needed) - set(come)):
        words = f"'{name}' was optional and is required." if name in before else f"'{name}' is required."
        yield _field(pair, name).change("required", Effect.NARROWER, words)
    for name in sorted((needed - needs) - set(gone)):
        yield _field(pair, name).change("required", Effect.WIDER, f"'{name}' was always there and is optional.")
    for name in (p for p in before if p in after):
        inner = replace(_field(pair, name), omittable=name not in needed)
        yield from compare(inner, before[name], after[name])
    yield from _further(pair, was, now, compare)


def _field(pair: SchemaPair, name: str) -> SchemaPair:
    return pair.inside(name).step("properties", name)


def _required(document: Mapping[str, Any], schema: Mapping[str, Any], side: str) -> set[str]:
    """Return the required fields; those that are only for the other side are not."""
    word = "readOnly" if side == "request" else "writeOnly"
    named = schema.get("properties", {})
    return {n for n in schema.get("required", []) if isinstance(n, str) and not _is(document, named.get(n), word)}


def _is(document: Mapping[str, Any], schema: Any, word: str) -> bool:
    try:
        found = resolve(document, schema)
    except UnreadableError:
        return False
    if not isinstance(found, Mapping):
        return False
    return found.get(word) is True or any(_is(document, part, word) for part in found.get("allOf", []))


def _lost(pair: SchemaPair, needed: bool, now: Any) -> Compat:
    """Return what the loss of a field means: a request with it may be refused, an answer without it misses it."""
    if pair.side == "request":
        return Compat.BREAKING if now is False else Compat.UNKNOWN  # accepted still, and no longer read
    return Compat.BREAKING if needed else Compat.UNKNOWN


def _further(pair: SchemaPair, was: Any, now: Any, compare: Compare) -> Iterator[ContractChange]:
    """Compare the rules for fields that are not named."""
    inner = pair.step("additionalProperties")
    if (was is False) != (now is False):
        words = "Further fields are refused now." if now is False else "Further fields were excluded and may come now."
        yield inner.change("further-fields", Effect.NARROWER if now is False else Effect.MAYBE_WIDER, words)
    elif isinstance(was, Mapping) or isinstance(now, Mapping):
        yield from compare(inner.inside("*"), was, now)


def _renamed(pair: SchemaPair, lost: Any, come: Mapping[str, Any]) -> str:
    """Return the only new field that looks as the lost one did."""
    try:
        look = canonical(bare(resolve(pair.before, lost)))
        alike = [n for n, s in come.items() if canonical(bare(resolve(pair.after, s))) == look]
    except UnreadableError:
        return ""
    return alike[0] if len(alike) == 1 else ""
