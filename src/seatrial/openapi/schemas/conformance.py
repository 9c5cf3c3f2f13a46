"""Whether a response conforms to its OpenAPI schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from seatrial.openapi.references import UnreadableError, resolve
from seatrial.openapi.schemas.alternatives import alternatives


def conforms(document: Mapping[str, Any], schema: Any, value: Any) -> str:
    """Return where ``value`` breaks ``schema``, without showing values; empty where it does not.

    Raises:
        UnreadableError: the schema cannot be used.
    """
    import jsonschema

    try:
        found: Any = jsonschema.exceptions.best_match(validator(document, schema).iter_errors(value))
    except Exception as broken:
        raise UnreadableError(f"its schema cannot be used: {type(broken).__name__}") from broken
    if found is None:
        return ""
    where = ".".join(str(part) for part in found.absolute_path)
    rule = str(found.validator)
    missing = [n for n in found.validator_value if n not in found.instance] if rule == "required" else []
    problem = f"lacks '{missing[0]}'" if missing else f"breaks '{rule}'"
    return f"'{where}' {problem}" if where else problem


def validator(document: Mapping[str, Any], schema: Any, *, side: str = "") -> Any:
    """Return a validator of one schema of a document, by the rules of JSON Schema 2020-12.

    Args:
        document: the document that the schema refers to.
        schema: the schema.
        side: ``request`` or ``response``: fields that are only for the other side are not required. Empty for neither.
    """
    import jsonschema

    parts = {k: v for k, v in document.items() if k not in ("$ref", "$id", "$schema", "schema")}
    whole = _plain({**_reachable(parts, schema), "schema": schema})
    if side:
        whole = _sided(document, whole, "readOnly" if side == "request" else "writeOnly")
    return jsonschema.Draft202012Validator({"$ref": "#/schema", **whole})


def _reachable(document: Mapping[str, Any], schema: Any) -> dict[str, Any]:
    """Return the sections of a document that a schema may refer to: its components alone, mostly."""
    text = json.dumps([schema, document.get("components", {})], default=str)
    return {k: v for k, v in document.items() if k == "components" or f'"#/{k}/' in text}


def _sided(document: Mapping[str, Any], node: Any, word: str) -> Any:
    """Return schemas whose fields are not required where they are only for the other side."""
    if isinstance(node, list):
        return [_sided(document, each, word) for each in node]
    if not isinstance(node, Mapping):
        return node
    out = {k: _sided(document, v, word) for k, v in node.items()}
    named = node.get("properties")
    if isinstance(named, Mapping) and isinstance(node.get("required"), list):
        out["required"] = [n for n in node["required"] if not _only(document, named.get(n), word)]
    return out


def _only(document: Mapping[str, Any], schema: Any, word: str) -> bool:
    try:
        return isinstance(found := resolve(document, schema), Mapping) and found.get(word) is True
    except UnreadableError:
        return False


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
