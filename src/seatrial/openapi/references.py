"""References inside an OpenAPI document, followed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from seatrial.openapi.silent import SILENT, canonical

_DEEPEST = 60
_TOLD = SILENT | {"default", "readOnly", "writeOnly"}


class UnreadableError(Exception):
    """A part of a document that cannot be brought to a form in which two can be compared."""


def resolve(document: Mapping[str, Any], node: Any) -> Any:
    """Return what ``node`` stands for, its references inside the document followed; keywords beside one are merged."""
    for _ in range(_DEEPEST):
        if not isinstance(node, Mapping) or not isinstance(node.get("$ref"), str):
            return node
        beside = {k: v for k, v in node.items() if k != "$ref"}
        target = _pointed(document, node["$ref"])
        if not isinstance(target, Mapping):
            node = {"allOf": [target], **beside} if beside else target
        elif any(k in target and target[k] != v for k, v in beside.items() if k not in _TOLD):
            told = {k: v for k, v in beside.items() if k in _TOLD}
            node = {"allOf": [target, {k: v for k, v in beside.items() if k not in _TOLD}], **told}
        else:
            node = {**target, **beside}
    raise UnreadableError("its references lead in a circle")


def _pointed(document: Mapping[str, Any], reference: str) -> Any:
    if not reference.startswith("#"):
        raise UnreadableError(f"it refers to another document, '{reference[:80]}'")
    node: Any = document
    for part in reference[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
            continue
        if not isinstance(node, Mapping) or name not in node:
            raise UnreadableError(f"it refers to '{reference[:80]}', which is not there")
        node = node[name]
    return node


def closure(document: Mapping[str, Any], part: Any, clean: Callable[[Any], Any] = lambda node: node) -> str:
    """Return a text of a part of a document and of all that it refers to; unequal texts may still mean the same."""
    found: dict[str, Any] = {}
    waiting = [part]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, Mapping):
            waiting += node.values()
            name = node.get("$ref")
            if isinstance(name, str) and name not in found:
                try:
                    found[name] = _pointed(document, name)
                except UnreadableError:
                    found[name] = None
                waiting.append(found[name])
    return canonical(clean([part, {k: clean(v) for k, v in found.items()}]))
