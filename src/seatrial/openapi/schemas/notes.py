"""What a schema says beside the values it allows: default, direction, unit, discriminator, encoding of text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seatrial.openapi.changes import Compat, ContractChange, Effect, SchemaPair
from seatrial.openapi.remainder import remainder
from seatrial.openapi.silent import CHOICES, UNITS, canonical

_MEASURES = re.compile(
    r"\d+(?:\.\d+)?|%|€|\$|£|\b(?:minor|major|cents?|pence|dollars?|euros?|eur|usd|gbp|percent(?:age)?|fraction|share|"
    r"ratio|probability|log|logit|odds|milli\w+|micro\w+|nano\w+|seconds?|minutes?|hours?|days?|weeks?|months?|years?|"
    r"ms|utc|local|gmt|met(?:re|er)s?|km|kilo\w+|miles?|feet|inch(?:es)?|grams?|kg|pounds?|celsius|fahrenheit|kelvin|"
    r"bytes?|[kmg]b|gross|net|inclusive|exclusive|per|thousands?|millions?|positive|negative|ascending|descending)\b",
    re.IGNORECASE,
)


def notes(
    pair: SchemaPair, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]
) -> Iterator[ContractChange]:
    """Yield what changed in the notes of two schemas, given as their alternatives."""
    yield from _default(pair, _all(old, "default"), _all(new, "default"))
    yield from _direction(pair, _says(old, "readOnly"), _says(new, "readOnly"), "readOnly", given="response")
    yield from _direction(pair, _says(old, "writeOnly"), _says(new, "writeOnly"), "writeOnly", given="request")
    yield from _discriminator(pair, _first(old, "discriminator"), _first(new, "discriminator"))
    for word in UNITS:
        was, now = _first(old, word), _first(new, word)
        if was != now:
            compat = Compat.UNKNOWN if was is None else Compat.BREAKING
            yield pair.change("unit", compat, f"The unit was '{was or 'not named'}' and is '{now or 'not named'}'.")
    for word in ("contentMediaType", "contentEncoding"):
        was, now = _first(old, word), _first(new, word)
        if canonical(was) != canonical(now):
            gone = Effect.MAYBE_WIDER if now is None else Effect.DIFFERENT
            effect = Effect.MAYBE_NARROWER if was is None else gone
            yield pair.change("encoding", effect, f"Its {word} was {was or 'none'} and is {now or 'none'}.")
    yield from _choices(pair, _first(old, CHOICES), _first(new, CHOICES))


def meaning(pair: SchemaPair, old: Any, new: Any) -> Iterator[ContractChange]:
    """Yield a changed description where it names other numbers or units: the schema itself does not show these."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return
    before, after = str(old.get("description", "")), str(new.get("description", ""))
    if before and after and pair.at and _measures(before) != _measures(after):
        yield pair.change("meaning", Compat.UNKNOWN, f"Its description was '{before[:80]}' and is '{after[:80]}'.")


def _measures(text: str) -> list[str]:
    return sorted({m.group().lower() for m in _MEASURES.finditer(text)})


def _default(pair: SchemaPair, old: list[str], new: list[str]) -> Iterator[ContractChange]:
    """Compare defaults: they matter to callers that left the field out; null and none are the same default."""
    if old == new:
        return
    was, now = (", ".join(v[:60] for v in side) or "none" for side in (old, new))
    words = f"Its default was {was} and is {now}."
    plain = [[v for v in side if v != "null"] for side in (old, new)]
    if pair.side == "response" or not pair.omittable or plain[0] == plain[1]:
        compat = Compat.COMPATIBLE
    else:
        compat = Compat.BREAKING if old else Compat.UNKNOWN
        words += "" if old else " Callers that left it out may get another answer."
    yield pair.change("default", compat, words)


def _direction(pair: SchemaPair, was: bool, now: bool, word: str, *, given: str) -> Iterator[ContractChange]:
    """Compare readOnly and writeOnly: a field that is only for the other side may no longer be sent on this one."""
    if was == now:
        return
    fine = pair.side == given or was
    told = f"It {'was' if was else 'was not'} {word} and {'is' if now else 'is not'}."
    yield pair.change("direction", Compat.COMPATIBLE if fine else Compat.UNKNOWN, told)


def _discriminator(pair: SchemaPair, old: Any, new: Any) -> Iterator[ContractChange]:
    if canonical(old) == canonical(new):
        return
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        words = f"A discriminator is {'gone' if new is None else 'new'}."
        yield pair.change("discriminator", Compat.UNKNOWN, words)
        return
    was, now = str(old.get("propertyName")), str(new.get("propertyName"))
    if was != now:
        yield pair.change("discriminator", Compat.BREAKING, f"Its kinds were told by '{was}' and are told by '{now}'.")
    names, others = old.get("mapping") or {}, new.get("mapping") or {}
    for name in sorted({*names, *others}, key=str):
        if name not in names or name not in others:
            effect = Effect.WIDER if name not in names else Effect.NARROWER
            known = names and others  # without any, the names of the schemas are the kinds
            words = f"The kind '{name}' is {'new' if name not in names else 'gone'}."
            yield pair.change("discriminator", effect if known else Compat.UNKNOWN, words)
        elif names[name] != others[name]:
            words = f"The kind '{name}' was {names[name]} and is {others[name]}."
            yield pair.change("discriminator", Compat.UNKNOWN, words)
    yield from remainder(pair.step("discriminator"), old, new, {"propertyName", "mapping"})


def _choices(pair: SchemaPair, old: Any, new: Any) -> Iterator[ContractChange]:
    """Compare lists of values that may grow: readers know that others may come."""
    was, now = ({canonical(v) for v in side} if isinstance(side, list) else set() for side in (old, new))
    if gone := sorted(was - now):
        yield pair.change("enum", Effect.NARROWER, f"No longer among its values: {', '.join(gone)[:200]}.")
    if come := sorted(now - was):
        compat = Compat.COMPATIBLE if was else Compat.UNKNOWN
        yield pair.change("enum", compat, f"New among its values: {', '.join(come)[:200]}.")


def _all(side: Sequence[Mapping[str, Any]], word: str) -> list[str]:
    return sorted({canonical(a[word]) for a in side if word in a})


def _first(side: Sequence[Mapping[str, Any]], word: str) -> Any:
    return next((a[word] for a in side if word in a), None)


def _says(side: Sequence[Mapping[str, Any]], word: str) -> bool:
    return any(a.get(word) is True for a in side)
