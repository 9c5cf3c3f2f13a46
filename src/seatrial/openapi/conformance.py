"""Whether a response conforms to its OpenAPI schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seatrial.openapi.schema import UnreadableError, alternatives


def conforms(document: Mapping[str, Any], schema: Any, value: Any) -> str:
    """Return where ``value`` breaks ``schema``, without showing values; empty where it does not.

    Raises:
        UnreadableError: the schema cannot be used.
    """
    import jsonschema

    try:
        whole = _plain({"components": document.get("components", {}), "schema": schema})
        root = {"$ref": "#/schema", **whole}
        found: Any = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(root).iter_errors(value))
    except Exception as broken:
        raise UnreadableError(f"its schema cannot be used: {type(broken).__name__}") from broken
    if found is None:
        return ""
    where = ".".join(str(part) for part in found.absolute_path)
    rule = str(found.validator)
    missing = [n for n in found.validator_value if n not in found.instance] if rule == "required" else []
    problem = f"lacks '{missing[0]}'" if missing else f"breaks '{rule}'"
    return f"'{where}' {problem}" if where else problem


def lacks_documented_fields(document: Mapping[str, Any], schema: Any, value: Any) -> str:
    """Return how an object that breaks no rule still is none of this schema: it has not one of the named fields."""
    if not isinstance(value, Mapping):
        return ""
    try:
        named = {n for a in alternatives(document, schema) for n in a.get("properties", {})}
    except UnreadableError:
        return ""
    return "it has none of the documented fields" if named and not named & set(value) else ""


def _plain(node: Any) -> Any:
    """Return the schema as JSON Schema writes it: OpenAPI 3.0 has its own form for null and exclusive bounds."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    out = {k: _plain(v) for k, v in node.items()}
    for word, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(out.get(word), bool):
            strict = out.pop(word)
            if strict and bound in out:
                out[word] = out.pop(bound)
    if out.pop("nullable", None) is True:
        return {"anyOf": [out, {"type": "null"}]}
    return out
