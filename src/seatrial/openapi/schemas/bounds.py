"""The bounds of a value in two schemas: smallest, largest, length, choice, form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.openapi.changes import Compat, ContractChange, Effect, SchemaPair
from seatrial.openapi.remainder import remainder
from seatrial.openapi.silent import UNITS, canonical

JUDGED = {
    "type", "enum", "format", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength",
    "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "multipleOf", "uniqueItems", "items",
    "properties", "required", "additionalProperties", "minContains", "maxContains",
    "default", "readOnly", "writeOnly", "discriminator", "contentMediaType", "contentEncoding", "contentSchema",
    "x-extensible-enum", "$defs", "definitions", *UNITS,
}  # fmt: skip
WIDER_FORMS = {("int32", "int64"), ("float", "double")}
ANYTHING = (None, "", ".*", "^.*$", "^.*", ".*$")
GUESSED = "x-guessed"
FORMS = frozenset({  # frameworks refuse other text; the meaning of further formats is their authors'
    "date", "date-time", "time", "duration", "uuid", "email", "ipv4", "ipv6", "uri", "hostname", "int32", "binary",
    "byte", "base64",
})  # fmt: skip
SIZES = (
    ("minLength", "maxLength", "length"),
    ("minItems", "maxItems", "items"),
    ("minProperties", "maxProperties", "fields"),
    ("minContains", "maxContains", "matching items"),
)


def limits(pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    """Yield what changed in the bounds of two alternatives of one type."""
    yield from _choice(pair, old.get("enum"), new.get("enum"))
    (low, high), (lower, higher) = _range(old), _range(new)
    yield from _bound(pair, "smallest value", low, lower, sign=1)
    yield from _bound(pair, "largest value", high, higher, sign=-1)
    if low == lower and low is not None and low[0] == 0 and _factor(high, higher):
        yield pair.change("scale", Effect.DIFFERENT, f"Its range ended at {high[0]:g} and ends at {higher[0]:g}.")  # type: ignore[index]
    for smallest, largest, what in SIZES:
        default = (1, 0) if smallest == "minContains" and "contains" in old and "contains" in new else (0, 0)
        yield from _bound(
            pair, f"fewest {what}", _size(old, smallest) or default, _size(new, smallest) or default, sign=1
        )
        yield from _bound(pair, f"most {what}", _size(old, largest), _size(new, largest), sign=-1)
    yield from _form(pair, old.get("format"), new.get("format"))
    yield from _pattern(pair, old.get("pattern"), new.get("pattern"))
    yield from _multiple(pair, old.get("multipleOf"), new.get("multipleOf"))
    if bool(old.get("uniqueItems")) != bool(new.get("uniqueItems")):
        effect = Effect.NARROWER if new.get("uniqueItems") else Effect.WIDER
        yield pair.change(
            "unique", effect, f"Repeated items are {'refused' if new.get('uniqueItems') else 'allowed'} now."
        )
    if bool(old.get(GUESSED)) != bool(new.get(GUESSED)):
        effect = Effect.MAYBE_NARROWER if old.get(GUESSED) else Effect.MAYBE_WIDER
        words = f"It named no type and is {new['type']} now." if old.get(GUESSED) else "It names no type any more."
        yield pair.change("untyped", effect, words)
    yield from remainder(pair, old, new, JUDGED)


def _choice(pair: SchemaPair, old: list[Any] | None, new: list[Any] | None) -> Iterator[ContractChange]:
    if old is None and new is None:
        return
    if old is None or new is None:
        effect = Effect.NARROWER if old is None else Effect.WIDER
        yield pair.change(
            "enum", effect, f"It is {'held to' if old is None else 'no longer held to'} a list of values."
        )
        return
    was, now = {canonical(v) for v in old}, {canonical(v) for v in new}
    if gone := sorted(was - now):
        yield pair.change("enum", Effect.NARROWER, f"No longer among its values: {_few(gone)}.")
    if come := sorted(now - was):
        yield pair.change("enum", Effect.WIDER, f"New among its values: {_few(come)}.")


def _bound(
    pair: SchemaPair, what: str, old: tuple[float, int] | None, new: tuple[float, int] | None, *, sign: int
) -> Iterator[ContractChange]:
    """Compare one bound, (value, 1 where the value itself is excluded); ``sign`` is 1 for a smallest one."""
    if old == new:
        return
    if old is None or new is None:
        effect = Effect.NARROWER if old is None else Effect.WIDER
    else:
        tighter = (sign * new[0], new[1]) > (sign * old[0], old[1])
        effect = Effect.NARROWER if tighter else Effect.WIDER
    yield pair.change("limit", effect, f"Its {what} was {_told(old)} and is {_told(new)}.")


def _range(schema: Mapping[str, Any]) -> tuple[tuple[float, int] | None, tuple[float, int] | None]:
    """Return the smallest and the largest value, in whichever of the two ways OpenAPI 3.0 and 3.1 write them."""
    found, whole = [], schema["type"] == "integer"
    for word, exclusive, sign in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
        bounds = []
        if _number(schema.get(word)):
            bounds.append((schema[word], int(schema.get(exclusive) is True)))
        if _number(schema.get(exclusive)):
            bounds.append((schema[exclusive], 1))
        best = max(bounds, key=lambda b: (sign * b[0], b[1]), default=None)
        if best is not None and whole and best[1] and float(best[0]).is_integer() and abs(best[0]) < 2**53:
            best = (best[0] + sign, 0)
        found.append(best)
    return found[0], found[1]


def _size(schema: Mapping[str, Any], word: str) -> tuple[float, int] | None:
    return (schema[word], 0) if _number(schema.get(word)) else None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _factor(old: tuple[float, int] | None, new: tuple[float, int] | None) -> bool:
    """Whether a range that begins at 0 was multiplied by a power of ten, as shares become percent."""
    return bool(old and new and old[0] > 0 and new[0] > 0) and any(
        abs(new[0] / old[0] - factor) < 1e-9 * factor  # type: ignore[index]
        for factor in (0.001, 0.01, 100, 1000)
    )


def _form(pair: SchemaPair, old: str | None, new: str | None) -> Iterator[ContractChange]:
    if old == new:
        return
    if old is None or new is None:
        known = (old or new) in FORMS
        effect = Effect.NARROWER if known else Effect.MAYBE_NARROWER
        if new is None:
            effect = Effect.WIDER if known else Effect.MAYBE_WIDER
    elif (old, new) in WIDER_FORMS:
        effect = Effect.WIDER
    else:
        effect = Effect.NARROWER if (new, old) in WIDER_FORMS else Effect.DIFFERENT
    yield pair.change("format", effect, f"Its format was {old or 'none'} and is {new or 'none'}.")


def _pattern(pair: SchemaPair, old: str | None, new: str | None) -> Iterator[ContractChange]:
    """Compare patterns: one that fits every text is none; two different ones are unknown."""
    was, now = (None if p in ANYTHING else p for p in (old, new))
    if old == new:
        return
    if was == now:
        yield pair.change("pattern", Compat.COMPATIBLE, "Its pattern still fits every text.")
        return
    effect = Effect.NARROWER if was is None else Effect.WIDER if now is None else Effect.UNKNOWN
    yield pair.change("pattern", effect, f"Its pattern was {was or 'none'} and is {now or 'none'}.")


def _multiple(pair: SchemaPair, old: Any, new: Any) -> Iterator[ContractChange]:
    """Compare steps: a multiple of the old step is narrower, a divisor of it is wider."""
    if old == new:
        return
    if old is None or new is None:
        effect = Effect.NARROWER if old is None else Effect.WIDER
    elif not (_number(old) and _number(new) and old > 0 and new > 0):
        effect = Effect.UNKNOWN
    else:
        effect = Effect.WIDER if _divides(new, old) else Effect.NARROWER if _divides(old, new) else Effect.DIFFERENT
    yield pair.change("multipleOf", effect, f"It was a multiple of {old or 'anything'} and is of {new or 'anything'}.")


def _divides(step: float, number: float) -> bool:
    ratio = number / step
    return abs(ratio - round(ratio)) < 1e-9


def _told(bound: tuple[float, int] | None) -> str:
    return "none" if bound is None else f"{bound[0]:,g}" + (" excluded" if bound[1] else "")


def _few(values: list[str]) -> str:
    return ", ".join(v[:40] for v in values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")
