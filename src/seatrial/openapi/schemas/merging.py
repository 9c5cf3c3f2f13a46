"""One schema that holds what two hold: what ``allOf`` means, and what stands beside ``anyOf`` and ``oneOf``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from seatrial.openapi.references import UnreadableError
from seatrial.openapi.silent import SILENT, canonical

_TIGHTER = {
    "minimum": max, "exclusiveMinimum": max, "minLength": max, "minItems": max, "minProperties": max,
    "maximum": min, "exclusiveMaximum": min, "maxLength": min, "maxItems": min, "maxProperties": min,
}  # fmt: skip
_NOTED = SILENT | {"default", "readOnly", "writeOnly"}


def both(one: Any, other: Any) -> Any:
    """Return the schema that holds what both hold; of notes such as ``default``, those of ``other``.

    >>> both({"type": ["integer", "string"], "minimum": 0}, {"type": "integer", "minimum": 3})
    {'type': ['integer'], 'minimum': 3}

    Raises:
        UnreadableError: that takes more than adding up.
    """
    if isinstance(one, bool) or isinstance(other, bool):
        if one is False or other is False:
            return False
        return other if one is True else one
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        raise UnreadableError("a part of it is no schema")
    for bound in ("minimum", "maximum"):
        strict = [s.get("exclusive" + bound.capitalize()) for s in (one, other)]
        unequal = bound in one and bound in other and one[bound] != other[bound]
        if unequal and any(isinstance(each, bool) for each in strict):
            raise UnreadableError(f"its allOf gives two values for '{bound}'")
    out: dict[str, Any] = _listed(one)
    for word, value in _listed(other).items():
        if word not in out or canonical(out[word]) == canonical(value) or word in _NOTED or word.startswith("x-"):
            out[word] = value
        else:
            out[word] = _agreed(word, out[word], value)
    closed = any(s.get("additionalProperties") not in (None, True) for s in (one, other))
    if closed and _constrains(one) and _constrains(other) and one.get("properties") != other.get("properties"):
        raise UnreadableError("its allOf has a part that allows no further fields")
    if out.get("type") == [] or out.get("enum") == []:
        return False
    return out


def kind_of(value: Any) -> str:
    """Return the JSON type of a value; whole numbers are integers."""
    if value is None:
        return "null"
    for types, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, types):
            return name
    return "object"


def whole_numbers(value: Any) -> Any:
    """Return 1 for 1.0: JSON has one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _constrains(schema: Mapping[str, Any]) -> bool:
    return bool(set(schema) - _NOTED - {"type"})


def _listed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema whose single value is a list of one."""
    out = dict(schema)
    if "const" in out and "enum" not in out:
        out["enum"] = [out.pop("const")]
    return out


def _agreed(word: str, one: Any, other: Any) -> Any:
    """Return the value of a keyword that both hold; UnreadableError where none is known."""
    if word in _JOINED:
        return _JOINED[word](one, other)
    if word in _TIGHTER and not isinstance(one, bool) and not isinstance(other, bool):
        return _TIGHTER[word](one, other)
    raise UnreadableError(f"its allOf gives two values for '{word}'")


def _fields(one: Any, other: Any) -> dict[str, Any]:
    shared = {p: {"allOf": [one[p], other[p]]} for p in one.keys() & other.keys()}
    return {**one, **other, **{p: both_ for p, both_ in shared.items() if canonical(one[p]) != canonical(other[p])}}


def _common(one: Any, other: Any) -> list[Any]:
    known = {canonical(v) for v in other}
    return [v for v in one if canonical(v) in known]


def _shared_types(one: Any, other: Any) -> list[str]:
    first, second = ([t] if isinstance(t, str) else list(t) for t in (one, other))
    found = [t for t in first if t in second or (t == "integer" and "number" in second)]
    return found + [t for t in second if t == "integer" and "number" in first and t not in found]


_JOINED: dict[str, Callable[[Any, Any], Any]] = {
    "required": lambda one, other: list(dict.fromkeys([*one, *other])),
    "properties": _fields,
    "patternProperties": _fields,
    "items": lambda one, other: {"allOf": [one, other]},
    "type": _shared_types,
    "enum": _common,
    "uniqueItems": lambda one, other: bool(one or other),
}
