"""The declared fields of a request, from the service's OpenAPI or from the model's signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seatrial.openapi.references import UnreadableError
from seatrial.openapi.schemas.alternatives import ANY, alternatives
from seatrial.targets.probes.base import DeclaredFields, Field

MLFLOW = {
    "boolean": "boolean", "integer": "integer", "long": "integer", "float": "number", "double": "number",
    "string": "string",
}  # fmt: skip


def declared_by_schema(document: Mapping[str, Any], schema: Any) -> DeclaredFields | None:
    """Return the fields that the schema of a request declares; None where it is no object or cannot be read.

    Example:
        >>> declared_by_schema({}, {"type": "object", "properties": {"x": {"type": "integer"}}}).fields["x"].types
        frozenset({'integer'})
    """
    try:
        objects = [a for a in alternatives(document, schema) if a["type"] == "object"]
    except UnreadableError:
        return None
    if len(objects) != 1 or not isinstance(objects[0].get("properties"), Mapping):
        return None
    whole = objects[0]
    required = set(whole.get("required", []))
    fields = {n: _field(document, n, s, n in required) for n, s in whole["properties"].items()}
    return DeclaredFields(fields, additional=whole.get("additionalProperties") not in (None, False))


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


def undeclared(record: Mapping[str, Any]) -> DeclaredFields:
    """Return the fields of a request without any declaration: their names alone.

    Example:
        >>> undeclared({"x": 1}).fields["x"].types
        frozenset()
    """
    return DeclaredFields({n: Field(n) for n in record})


def _field(document: Mapping[str, Any], name: str, schema: Any, required: bool) -> Field:
    try:
        found = alternatives(document, schema)
    except UnreadableError:
        return Field(name, required=required)
    types = frozenset(a["type"] for a in found) - {"null"}
    nullable = any(a["type"] in ("null", ANY) for a in found)
    if ANY in types:
        return Field(name, required=required, nullable=True)
    return Field(name, types, required, nullable)
