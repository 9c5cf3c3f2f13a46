"""JSON Schema as OpenAPI writes it, brought to one form: a list of alternatives, each of a single type.

``nullable``, a list of types, ``anyOf`` and ``oneOf`` express the same thing in four ways; here they have one form.
A schema that cannot be brought to this form is unreadable, and never guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

ANY = "any"  # the type of a schema that names none
ANNOTATIONS = {
    "title", "description", "example", "examples", "deprecated", "readOnly", "writeOnly", "externalDocs", "xml",
    "$comment", "$id", "$schema", "$anchor", "$defs", "definitions", "default", "discriminator", "summary",
    "contentMediaType", "contentEncoding",
}  # fmt: skip
_MADE_OF = {
    "object": {"properties", "required", "additionalProperties", "minProperties", "maxProperties"},
    "array": {"items", "minItems", "maxItems", "uniqueItems"},
}
_DEEPEST = 60


class UnreadableError(Exception):
    """A schema that cannot be brought to the form in which two can be compared."""


def resolve(document: Mapping[str, Any], node: Any) -> Any:
    """Return what ``node`` stands for, its references inside the document followed; keywords beside one are merged."""
    for _ in range(_DEEPEST):
        if not isinstance(node, Mapping) or not isinstance(node.get("$ref"), str):
            return node
        beside = {k: v for k, v in node.items() if k != "$ref"}
        target = _pointed(document, node["$ref"])
        kept = {k: v for k, v in beside.items() if k not in ANNOTATIONS}
        node = {"allOf": [target, kept]} if kept else (target | beside if isinstance(target, dict) else target)
    raise UnreadableError("its references lead in a circle")


def alternatives(document: Mapping[str, Any], schema: Any, depth: int = 0) -> list[dict[str, Any]]:
    """Return the alternatives of a schema, each a dict with one ``type``; none where nothing can fit.

    Raises:
        UnreadableError: it uses what cannot be compared, such as overlapping ``allOf``.
    """
    schema = resolve(document, schema)
    if isinstance(schema, bool):
        return [{"type": ANY}] if schema else []
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        raise UnreadableError("it is no schema, or nested too deeply")
    plain = dict(schema)
    for word in ("allOf", "anyOf", "oneOf"):
        if word in plain:
            branches, rest = plain.pop(word), plain
            if not isinstance(branches, list) or not branches:
                raise UnreadableError(f"its {word} is no list of schemas")
            if word == "allOf":
                whole: dict[str, Any] = rest
                for branch in branches:
                    whole = _both(whole, _mapping(resolve(document, branch)))
                return alternatives(document, whole, depth + 1)
            bare = not set(rest) - ANNOTATIONS - {"nullable", "type"}
            found = []
            for branch in branches:
                one = resolve(document, branch)
                found += alternatives(document, one if bare else _both(rest, _mapping(one)), depth + 1)
            if word == "oneOf" and not _apart(found):
                raise UnreadableError("its oneOf has alternatives of the same type")
            return found + ([{"type": "null"}] if rest.get("nullable") is True else [])
    return _single(plain)


def canonical(value: Any) -> str:
    """Return a text that is the same for the same JSON."""
    return json.dumps(value, sort_keys=True, default=str)


def kind_of(value: Any) -> str:
    """Return the JSON type of a value; whole numbers are integers."""
    if value is None:
        return "null"
    for types, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, types):
            return name
    return "object"


def _single(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one alternative for each type that a schema without combinations names."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    declared = schema.get("type")
    types = [declared] if isinstance(declared, str) else list(declared or [])
    if not types:
        types = sorted({kind_of(v) for v in values}) if values is not None else [_guessed(schema)]
    rest = {k: v for k, v in schema.items() if k not in ("type", "nullable", "const", "enum")}
    found = []
    for kind in dict.fromkeys([*types, *(["null"] if schema.get("nullable") is True else [])]):
        one: dict[str, Any] = {**rest, "type": kind} if kind != "null" else {"type": "null"}
        if values is not None and kind != "null":
            fitting = [v for v in values if kind in (ANY, kind_of(v)) or (kind, kind_of(v)) == ("number", "integer")]
            if not fitting:
                continue
            one["enum"] = fitting
        elif values is not None and None not in values and schema.get("nullable") is not True:
            continue
        found.append(one)
    return found


def _guessed(schema: Mapping[str, Any]) -> str:
    """Return the type that a schema without one means: strictly it allows any, but nobody writes it so."""
    return next((kind for kind, words in _MADE_OF.items() if words & set(schema)), ANY)


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema that both hold; UnreadableError where that takes more than adding them up."""
    out: dict[str, Any] = dict(one)
    for word, value in other.items():
        if word not in out or out[word] == value or word in ANNOTATIONS:
            out[word] = value
        elif word == "required":
            out[word] = list(dict.fromkeys([*out[word], *value]))
        elif word == "properties":
            clash = [p for p in out[word].keys() & value.keys() if out[word][p] != value[p]]
            if clash:
                raise UnreadableError(f"its allOf contradicts itself about '{clash[0]}'")
            out[word] = {**out[word], **value}
        else:
            raise UnreadableError(f"its allOf gives two values for '{word}'")
    closed = any(s.get("additionalProperties") not in (None, True) for s in (one, other))
    if closed and (set(one) - ANNOTATIONS) and (set(other) - ANNOTATIONS) and one.get("properties") != other.get(
        "properties"
    ):  # fmt: skip
        raise UnreadableError("its allOf has a part that allows no further fields")
    return out


def _apart(found: Iterable[Mapping[str, Any]]) -> bool:
    types = [each["type"] for each in found]
    return len(types) == len(set(types)) or len({canonical(e) for e in found}) == len(types)


def _mapping(node: Any) -> Mapping[str, Any]:
    if not isinstance(node, Mapping):
        raise UnreadableError("a part of it is no schema")
    return node


def _pointed(document: Mapping[str, Any], reference: str) -> Any:
    if not reference.startswith("#"):
        raise UnreadableError(f"it refers to another document, '{reference[:80]}'")
    node: Any = document
    for part in reference[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, Mapping) or name not in node:
            raise UnreadableError(f"it refers to '{reference[:80]}', which is not there")
        node = node[name]
    return node
