"""Fields of a JSON record at any depth: read, changed or left out in a copy, and learned from recorded requests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from seatrial.targets.probes.base import DeclaredFields, Field

MAX_DEPTH = 6  # names and positions that lead to a field
MAX_FIELDS = 150
_KINDS = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}

Steps = tuple[str | int, ...]


def named(steps: Sequence[str | int]) -> str:
    """Return the name of a field, with those before it.

    Example:
        >>> named(("items", 0, "price"))
        'items[0].price'
    """
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).removeprefix(".")


def value_at(record: Any, steps: Steps) -> Any:
    """Return the value of a field, or None where the record does not have it.

    Example:
        >>> value_at({"items": [{"price": 3}]}, ("items", 0, "price"))
        3
    """
    for step in steps:
        within = isinstance(record, list) and isinstance(step, int) and step < len(record)
        if not within and not (isinstance(record, Mapping) and step in record):
            return None
        record = record[step]
    return record


def changed(record: Any, steps: Steps, value: Any) -> Any:
    """Return the record with another value of a field; only what leads to it is copied.

    Example:
        >>> changed({"items": [{"price": 3}], "n": 1}, ("items", 0, "price"), 4)
        {'items': [{'price': 4}], 'n': 1}
    """
    if not steps:
        return value
    step, held = steps[0], value_at(record, steps[:1])
    if isinstance(step, int):
        return [*record[:step], changed(held, steps[1:], value), *record[step + 1 :]]
    return {**record, step: changed(held, steps[1:], value)}


def without(record: Any, steps: Steps) -> Any:
    """Return the record without a field.

    Example:
        >>> without({"items": [{"price": 3, "n": 1}]}, ("items", 0, "price"))
        {'items': [{'n': 1}]}
    """
    *before, last = steps
    holder = value_at(record, tuple(before))
    return changed(record, tuple(before), {k: v for k, v in holder.items() if k != last})


def within_limits(fields: Iterable[Field], additional: bool = False) -> DeclaredFields:
    """Return the fields by name, at most ``MAX_FIELDS`` of them: those of the request itself first."""
    found = sorted(fields, key=lambda f: len(f.steps))
    kept = {f.name: f for f in found[:MAX_FIELDS]}
    return DeclaredFields(kept, additional, left_out=max(0, len(found) - MAX_FIELDS))


def learned(records: Iterable[Mapping[str, Any]]) -> DeclaredFields:
    """Return the fields that requests have and the JSON types they were seen with; what must be is not known.

    Example:
        >>> learned([{"x": 1, "at": {"n": "a"}}, {"x": None}]).fields["at.n"].types
        frozenset({'string'})
    """
    seen: dict[Steps, set[type]] = {}
    for record in records:
        for steps, value in _walk(record, ()):
            seen.setdefault(steps, set()).add(type(value))
    fields = []
    for steps, types in seen.items():
        kinds = frozenset(_KINDS[t] for t in types if t in _KINDS)
        fields.append(Field(named(steps), kinds, None, True if type(None) in types else None, steps))
    return within_limits(fields, additional=True)


def parsed(texts: Iterable[str]) -> list[dict[str, Any]]:
    """Return the texts that are JSON objects, parsed."""
    found = []
    for text in texts:
        try:
            record = json.loads(text)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


def _walk(value: Any, steps: Steps) -> Iterator[tuple[Steps, Any]]:
    if steps:
        yield steps, value
    if len(steps) >= MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, held in value.items():
            yield from _walk(held, (*steps, name))
    elif isinstance(value, list) and value and steps:
        yield from _walk(value[0], (*steps, 0))
