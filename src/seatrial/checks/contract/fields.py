"""What a service declares of the fields of a request: from its OpenAPI, or from a model's signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seatrial.openapi.schema import ANY, UnreadableError, alternatives, kind_of
from seatrial.targets.probes.base import Declared, Field

MLFLOW = {
    "boolean": "boolean", "integer": "integer", "long": "integer", "float": "number", "double": "number",
    "string": "string",
}  # fmt: skip


def declared_by_schema(document: Mapping[str, Any], schema: Any) -> Declared | None:
    """Return what the schema of a request says of its fields; None where it is no object or cannot be read."""
    try:
        objects = [a for a in alternatives(document, schema) if a["type"] == "object"]
    except UnreadableError:
        return None
    if len(objects) != 1 or not isinstance(objects[0].get("properties"), Mapping):
        return None
    whole = objects[0]
    required = set(whole.get("required", []))
    fields = {n: _field(document, n, s, n in required) for n, s in whole["properties"].items()}
    return Declared(fields, open_=whole.get("additionalProperties") not in (None, False))


def declared_by_signature(inputs: list[Mapping[str, Any]]) -> Declared:
    """Return what the named columns of a model's signature say."""
    fields = {}
    for column in inputs:
        name, kind = str(column.get("name", "")), MLFLOW.get(str(column.get("type")), "")
        required = bool(column.get("required", True))
        types = frozenset({kind} if kind else ())
        fields[name] = Field(name, types, required, None if required else True, kind == "string")
    return Declared(fields)


def guessed(record: Mapping[str, Any]) -> Declared:
    """Return the fields of a request of which nothing is declared: their names."""
    return Declared({n: Field(n, free=kind_of(v) == "string") for n, v in record.items()})


def _field(document: Mapping[str, Any], name: str, schema: Any, required: bool) -> Field:
    try:
        found = alternatives(document, schema)
    except UnreadableError:
        return Field(name, required=required)
    types = frozenset(a["type"] for a in found) - {"null"}
    nullable = any(a["type"] in ("null", ANY) for a in found)
    if ANY in types:
        return Field(name, required=required, nullable=True)
    free = any(a["type"] == "string" and not {"enum", "pattern", "format"} & set(a) for a in found)
    return Field(name, types, required, nullable, free)
