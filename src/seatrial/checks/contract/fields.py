"""The declared fields of a request, from the service's OpenAPI or from the model's signature."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.openapi.references import UnreadableError
from seatrial.openapi.schemas.alternatives import ANY, alternatives
from seatrial.targets.probes.base import DeclaredFields, Field
from seatrial.targets.probes.paths import MAX_DEPTH, MAX_FIELDS, Steps, named, within_limits

MLFLOW = {
    "boolean": "boolean", "integer": "integer", "long": "integer", "float": "number", "double": "number",
    "string": "string",
}  # fmt: skip


def declared_by_schema(document: Mapping[str, Any], schema: Any) -> DeclaredFields | None:
    """Return the fields that the schema of a request declares, at every depth; None where it is no readable object.

    Example:
        >>> declared_by_schema({}, {"type": "object", "properties": {"x": {"type": "integer"}}}).fields["x"].types
        frozenset({'integer'})
    """
    whole = _object(document, schema)
    if whole is None:
        return None
    return within_limits(_fields(document, whole), additional=whole.get("additionalProperties") not in (None, False))


def declared_by_signature(inputs: list[Mapping[str, Any]]) -> DeclaredFields:
    """Return the fields that the named columns of a model's signature declare.

    Example:
        >>> declared_by_signature([{"name": "x", "type": "long"}]).fields["x"].required
        True
    """
    fields = {}
    for column in inputs:
        name, kind = str(column.get("name", "")), MLFLOW.get(str(column.get("type")), "")
        required = bool(column.get("required", True))
        types = frozenset({kind} if kind else ())
        fields[name] = Field(name, types, required, None if required else True)
    return DeclaredFields(fields)


def _object(document: Mapping[str, Any], schema: Any) -> Mapping[str, Any] | None:
    """Return the only object with properties that a schema allows."""
    try:
        objects = [a for a in alternatives(document, schema) if a["type"] == "object"]
    except UnreadableError:
        return None
    return objects[0] if len(objects) == 1 and isinstance(objects[0].get("properties"), Mapping) else None


def _fields(document: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[Field]:
    """Yield the fields of an object, then those one step below, and so on; of a list those of its first item."""
    waiting: deque[tuple[Any, Steps, bool | None]] = deque(_properties(whole, ()))
    for _ in range(4 * MAX_FIELDS):  # a schema may refer to itself
        if not waiting:
            return
        schema, steps, required = waiting.popleft()
        field, found = _field(document, schema, steps, required)
        yield field
        if len(steps) == MAX_DEPTH:
            continue
        if (inner := _object(document, schema)) is not None:
            waiting.extend(_properties(inner, steps))
        lists = [a for a in found if a["type"] == "array" and isinstance(a.get("items"), Mapping)]
        if len(lists) == 1:
            waiting.append((lists[0]["items"], (*steps, 0), None))


def _properties(whole: Mapping[str, Any], before: Steps) -> Iterator[tuple[Any, Steps, bool]]:
    required = set(whole.get("required", []))
    for name, schema in whole["properties"].items():
        yield schema, (*before, name), name in required


def _field(
    document: Mapping[str, Any], schema: Any, steps: Steps, required: bool | None
) -> tuple[Field, list[dict[str, Any]]]:
    name = named(steps)
    try:
        found = alternatives(document, schema)
    except UnreadableError:
        return Field(name, required=required, path=steps), []
    types = frozenset(a["type"] for a in found) - {"null"}
    nullable = any(a["type"] in ("null", ANY) for a in found)
    if ANY in types:
        return Field(name, required=required, nullable=True, path=steps), []
    return Field(name, types, required, nullable, steps), found
