"""JSON Schema as OpenAPI writes it, brought to one form: a list of alternatives, each of a single type.

``nullable``, a list of types, ``anyOf`` and ``oneOf`` express the same thing in four ways; here they have one form.
A schema that cannot be brought to this form is unreadable, and never guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seatrial.openapi.references import UnreadableError, resolve
from seatrial.openapi.schemas.bounds import GUESSED
from seatrial.openapi.schemas.merging import both, kind_of, whole_numbers
from seatrial.openapi.silent import canonical

ANY = "any"  # the type of a schema that names none
NAME = "x-name"  # marks an alternative with the name of the schema that a branch refers to
OVERLAP = "x-overlap"  # marks alternatives of which exactly one must fit, where a value may fit several
_MADE_OF = {
    "object": {"properties", "required", "additionalProperties", "minProperties", "maxProperties"},
    "array": {"items", "minItems", "maxItems", "uniqueItems"},
}
_DEEPEST = 60


def alternatives(document: Mapping[str, Any], schema: Any, depth: int = 0) -> list[dict[str, Any]]:
    """Return the alternatives of a schema, each a dict with one ``type``; none where nothing can fit.

    Raises:
        UnreadableError: it uses what cannot be compared, such as an ``allOf`` that contradicts itself.
    """
    schema = resolve(document, schema)
    if isinstance(schema, bool):
        return [{"type": ANY}] if schema else []
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        raise UnreadableError("it is no schema, or nested too deeply")
    plain = dict(schema)
    for word in ("allOf", "anyOf", "oneOf"):
        if word not in plain:
            continue
        branches, rest = plain.pop(word), plain
        if not isinstance(branches, list) or not branches:
            raise UnreadableError(f"its {word} is no list of schemas")
        null = [{"type": "null"}] if rest.pop("nullable", None) is True else []
        resolved = [_nullable_as_type(resolve(document, branch)) for branch in branches]
        if word == "allOf":
            whole: Any = rest
            for branch in resolved:
                whole = both(branch, whole)
            return _with_null(alternatives(document, whole, depth + 1), null)
        found = []
        for branch, written in zip(resolved, branches, strict=True):
            name = str(written["$ref"]).split("/")[-1] if isinstance(written, Mapping) and "$ref" in written else ""
            mark = {NAME: name} if name else {}
            found += [{**a, **mark} for a in alternatives(document, both(rest, branch), depth + 1)]
        if word == "oneOf" and not _apart(document, found):
            found = [{**a, OVERLAP: True} for a in found]
        return _with_null(found, null)
    return _single(plain)


def _with_null(found: list[dict[str, Any]], null: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return found if any(a["type"] == "null" for a in found) else found + null


def _nullable_as_type(branch: Any) -> Any:
    """Return a branch with null among its types: ``nullable`` of one part says nothing about the others."""
    if not isinstance(branch, Mapping) or "nullable" not in branch or {"allOf", "anyOf", "oneOf"} & set(branch):
        return branch
    out = {k: v for k, v in branch.items() if k != "nullable"}
    if branch["nullable"] is True and "type" in out:
        types = out["type"] if isinstance(out["type"], list) else [out["type"]]
        out["type"] = [*types, "null"]
        if "enum" in out:
            out["enum"] = [*out["enum"], None]
    return out


def _single(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one alternative for each type that a schema without combinations names."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None and not isinstance(values, list):
        raise UnreadableError("its enum is no list")
    if "const" in schema and isinstance(schema.get("enum"), list) and schema["const"] not in schema["enum"]:
        return []
    values = None if values is None else [whole_numbers(v) for v in values]
    declared = schema.get("type")
    types = [declared] if isinstance(declared, str) else list(declared or [])
    mark = {}
    if not types:
        types = sorted({kind_of(v) for v in values}) if values is not None else [_guessed(schema)]
        mark = {GUESSED: True} if values is None and types != [ANY] else {}
    rest = {k: v for k, v in schema.items() if k not in ("type", "nullable", "const", "enum")} | mark
    found = []
    for kind in dict.fromkeys([*types, *(["null"] if schema.get("nullable") is True else [])]):
        one: dict[str, Any] = {**rest, "type": kind} if kind != "null" else {"type": "null"}
        if values is not None and kind != "null":
            fitting = [v for v in values if kind in (ANY, kind_of(v)) or (kind, kind_of(v)) == ("number", "integer")]
            if not fitting:
                continue
            if not (kind == "boolean" and True in fitting and False in fitting):  # a list of both holds to nothing
                one["enum"] = fitting
        elif values is not None and None not in values and schema.get("nullable") is not True:
            continue
        found.append(one)
    return found


def _guessed(schema: Mapping[str, Any]) -> str:
    """Return the type that a schema without one means: strictly it allows any, but nobody writes it so."""
    return next((kind for kind, words in _MADE_OF.items() if words & set(schema)), ANY)


def _apart(document: Mapping[str, Any], found: Iterable[Mapping[str, Any]]) -> bool:
    """Whether no value can fit two of the alternatives: they differ in type, or in the value of a required field."""
    seen = list(found)
    return all(_differ(document, one, other) for place, one in enumerate(seen) for other in seen[place + 1 :])


def _differ(document: Mapping[str, Any], one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    kinds = {one["type"], other["type"]}
    if ANY in kinds or GUESSED in one or GUESSED in other:
        return False
    if len(kinds) == 2:
        return kinds != {"integer", "number"}
    if "enum" in one and "enum" in other:
        return not {canonical(v) for v in one["enum"]} & {canonical(v) for v in other["enum"]}
    needed = set(one.get("required", [])) & set(other.get("required", []))
    return kinds == {"object"} and any(
        (a := _values(document, one, name)) and (b := _values(document, other, name)) and not a & b for name in needed
    )


def _values(document: Mapping[str, Any], schema: Mapping[str, Any], name: str) -> set[str]:
    """Return the values that a field is held to, as text; none where it is not held to a list."""
    node = resolve(document, schema.get("properties", {}).get(name))
    if not isinstance(node, Mapping):
        return set()
    values = [node["const"]] if "const" in node else node.get("enum")
    return {canonical(v) for v in values} if isinstance(values, list) else set()
