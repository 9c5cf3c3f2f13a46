"""What of a document is told to people alone: descriptions, examples and the like, which change nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SILENT = frozenset({
    "title", "description", "summary", "example", "examples", "deprecated", "externalDocs", "tags", "operationId",
    "$comment",
})  # fmt: skip
UNITS = ("x-unit", "x-units")
CHOICES = "x-extensible-enum"
_NAMED = frozenset(
    {
        "properties",
        "patternProperties",
        "dependentSchemas",
        "$defs",
        "definitions",
        "headers",
        "encoding",
        "content",
        "responses",
        "callbacks",
        "paths",
        "webhooks",
        "mapping",
        "scopes",
        "links",
        "variables",
        "securitySchemes",
        "schemas",
        "parameters",
        "requestBodies",
    }
)
_VALUES = frozenset({"enum", "const", "default", "required", "dependentRequired"})


def is_silent(key: str) -> bool:
    """Whether a key is told to people alone, or is an extension that nobody here knows.

    >>> is_silent("summary"), is_silent("x-internal"), is_silent("x-unit"), is_silent("explode")
    (True, True, False, False)
    """
    return key in SILENT or (key.startswith("x-") and key not in (*UNITS, CHOICES))


def bare(node: Any) -> Any:
    """Return a part of a document without what is told to people alone; fields of such names are kept."""
    if isinstance(node, list):
        return [bare(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    kept = {}
    for key, value in node.items():
        if key in _NAMED and isinstance(value, Mapping):
            kept[key] = {name: bare(each) for name, each in value.items()}
        elif not is_silent(str(key)):
            kept[key] = value if key in _VALUES else bare(value)
    return kept


def same(old: Any, new: Any) -> bool:
    """Whether two parts of a document differ in nothing but what is told to people.

    >>> same({"explode": True, "description": "a"}, {"explode": True})
    True
    """
    return canonical(bare(old)) == canonical(bare(new))


def canonical(value: Any) -> str:
    """Return a text that is the same for the same JSON; 1 and 1.0 are the same number."""
    return json.dumps(_numbers(value), sort_keys=True, default=str)


def _numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    return {str(k): _numbers(v) for k, v in value.items()} if isinstance(value, Mapping) else value
