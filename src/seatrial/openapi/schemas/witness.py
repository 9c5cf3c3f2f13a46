"""A value that one schema allows and another refuses: the proof that a change which no rule can judge is breaking."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.openapi.references import UnreadableError, resolve
from seatrial.openapi.schemas.conformance import validator
from seatrial.openapi.silent import canonical

MOST = 400  # values that are tried
_FEW = 8  # values of one part of a schema
_DEEPEST = 6
_PARTS = ("not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties")
_TEXTS = ("a", "", "b", "A", "1", "abc", "ABC", "123", "a1", "a b", "a@b.c", "2020-01-01", "x" * 40)
_PLAIN: dict[str, tuple[Any, ...]] = {
    "null": (None,), "boolean": (True, False), "integer": (1, 0, -1, 2, 7, 1000), "number": (0.5, 1, 0, -1.5, 1000),
    "string": _TEXTS, "array": ([], [1], ["a", "b"]), "object": ({}, {"extra": 1}),
}  # fmt: skip
_HINTS = {
    "object": {"properties", "required", "additionalProperties", "patternProperties", "propertyNames",
               "dependentRequired", "dependentSchemas", "minProperties", "maxProperties", "unevaluatedProperties"},
    "array": {"items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems", "unevaluatedItems"},
    "string": {"pattern", "minLength", "maxLength", "format", "contentMediaType"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}  # fmt: skip


def witness(allowing: tuple[Mapping[str, Any], Any], refusing: tuple[Mapping[str, Any], Any], side: str) -> str | None:
    """Return a value that the first schema allows and the second refuses, as JSON; None where none was found.

    Finding none proves nothing. Values with fields that the second schema names and the first does not are left out.

    Args:
        allowing: a document and one of its schemas.
        refusing: a document and one of its schemas.
        side: ``request`` or ``response``: fields that are never sent that way are not required.
    """
    try:
        fine, wrong = validator(*allowing, side=side), validator(*refusing, side=side)
        strange = _names(*refusing) - _names(*allowing)
        for value in _tried(allowing, refusing):
            if isinstance(value, Mapping) and strange & set(value):
                continue
            if fine.is_valid(value) and not wrong.is_valid(value):
                return json.dumps(value)[:200]
    except Exception:  # noqa: BLE001 - a schema that cannot be used proves nothing
        return None
    return None


def _tried(*places: tuple[Mapping[str, Any], Any]) -> Iterator[Any]:
    """Yield the samples of both schemas, and objects that join two of them."""
    values: list[Any] = []
    for document, schema in places:
        values += samples(document, schema, 0, most=MOST // 4)
    objects = [v for v in values if isinstance(v, Mapping)][:12]
    values += [{**one, **other} for one in objects for other in objects]
    seen = set()
    for value in values[:MOST]:
        if (text := canonical(value)) not in seen:
            seen.add(text)
            yield value


def samples(document: Mapping[str, Any], schema: Any, depth: int = 0, most: int = _FEW) -> list[Any]:
    """Return values at and around what a schema allows, the ordinary ones first; some of them it refuses.

    >>> samples({}, {"type": "integer", "minimum": 3}, most=3)
    [3, 4, 2]
    """
    try:
        node = resolve(document, schema)
    except UnreadableError:
        return []
    if depth > _DEEPEST or not isinstance(node, Mapping):
        return ["a", 1] if node is not False else []
    found: list[Any] = [node["const"]] if "const" in node else []
    found += [v for word in ("enum", "examples") if isinstance(node.get(word), list) for v in node[word]]
    found += [node[word] for word in ("default", "example") if word in node]
    kinds = _kinds(node)
    for kind in kinds:
        found += list(_OF.get(kind, _plain)(document, node, depth, kind))
    parts = [node[word] for word in _PARTS if isinstance(node.get(word), Mapping)]
    parts += [b for word in ("anyOf", "oneOf", "allOf") if isinstance(node.get(word), list) for b in node[word]]
    parts += list(node["dependentSchemas"].values()) if isinstance(node.get("dependentSchemas"), Mapping) else []
    inner = [samples(document, part, depth + 1) for part in parts]
    merged: dict[str, Any] = {}
    for values in inner:
        merged |= next((v for v in values if isinstance(v, Mapping)), {})
    for row in zip(*(v + [merged] * (_FEW - len(v)) for v in inner), strict=False):
        found += row
    if merged:
        found.append({**merged, **next((v for v in found if isinstance(v, Mapping)), {})})
    return found[:most]


def _kinds(node: Mapping[str, Any]) -> list[str]:
    declared = node.get("type")
    kinds = [declared] if isinstance(declared, str) else list(declared or [])
    kinds = kinds or [kind for kind, words in _HINTS.items() if words & set(node)]
    if not kinds and not {"anyOf", "oneOf", "allOf", "const", "enum"} & set(node):
        kinds = list(_PLAIN)
    return kinds + (["null"] if node.get("nullable") is True else [])


def _plain(_: Mapping[str, Any], __: Mapping[str, Any], ___: int, kind: str) -> Iterator[Any]:
    yield from _PLAIN.get(kind, ())


def _number(_: Mapping[str, Any], node: Mapping[str, Any], __: int, kind: str) -> Iterator[Any]:
    step = node.get("multipleOf") or 1
    words = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    bounds = [node[w] for w in words if isinstance(node.get(w), int | float) and not isinstance(node[w], bool)]
    for bound in bounds:
        yield from (bound, bound + step, bound - step)
    yield from (step, 2 * step, 3 * step) if step != 1 else ()
    yield from _PLAIN[kind]


def _text(_: Mapping[str, Any], node: Mapping[str, Any], __: int, kind: str) -> Iterator[Any]:
    sizes = [node[w] for w in ("minLength", "maxLength") if isinstance(node.get(w), int)]
    yield from ("a" * max(0, min(size + more, 5000)) for size in sizes for more in (0, -1, 1))
    yield from _PLAIN[kind]


def _list(document: Mapping[str, Any], node: Mapping[str, Any], depth: int, _: str) -> Iterator[Any]:
    first = [(samples(document, each, depth + 1) or ["a"])[0] for each in node.get("prefixItems", [])]
    items = samples(document, node.get("items", {}), depth + 1) or ["a"]
    sought = samples(document, node["contains"], depth + 1) if "contains" in node else []
    sizes = [node[w] for w in ("minItems", "maxItems", "minContains", "maxContains") if isinstance(node.get(w), int)]
    for size in dict.fromkeys([*(max(0, s + more) for s in sizes for more in (0, 1, -1)), 1, 0, 2, 3]):
        for pool in (items, sought):
            if pool and size <= 50:
                yield [*first, *(pool[n % len(pool)] for n in range(size))][: max(size, len(first))]
                yield [pool[0]] * size
    yield from ([*first, each] for each in [*items, *sought, True, 1, "a"])
    for place in range(len(first)):
        yield from ([*first[:place], odd, *first[place + 1 :]] for odd in (True, 1, "a"))


def _object(document: Mapping[str, Any], node: Mapping[str, Any], depth: int, _: str) -> Iterator[Any]:
    named = node.get("properties", {})
    values = {name: samples(document, each, depth + 1) for name, each in named.items()}
    required = [name for name in node.get("required", []) if isinstance(name, str)]
    whole = {name: (values.get(name) or ["a"])[0] for name in dict.fromkeys([*required, *named])}
    least = {name: whole[name] for name in required}
    yield from (whole, least)
    for name in named:
        yield {**least, name: whole[name]}
        yield {k: v for k, v in whole.items() if k != name}
    for name, several in values.items():
        yield from ({**least, name: value} for value in several[1:])
    odd = node.get("patternProperties", {})
    others = [
        v for each in (*odd.values(), node.get("additionalProperties")) for v in samples(document, each, depth + 1)
    ]
    names = [n for n in samples(document, node.get("propertyNames", {}), depth + 1) if isinstance(n, str)]
    anchored = [p.strip("^$").replace("\\", "").split("[")[0].split(".")[0] for p in odd]
    for name in [*names[:4], *anchored, *(a + "a" for a in anchored), "x-a", "extra", "Extra_1"]:
        yield from ({**least, name: value} for value in [*others[:3], 1, "a", True])
    for first in node.get("dependentRequired", {}):
        yield {**least, first: "a"}


def _names(document: Mapping[str, Any], schema: Any) -> set[str]:
    node = resolve(document, schema)
    if not isinstance(node, Mapping):
        return set()
    parts = [b for word in ("anyOf", "oneOf", "allOf") if isinstance(node.get(word), list) for b in node[word]]
    return set(node.get("properties", {})).union(*(_names(document, part) for part in parts))


_OF = {"integer": _number, "number": _number, "string": _text, "array": _list, "object": _object}
