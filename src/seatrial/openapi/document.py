"""Two OpenAPI documents: what changed from one to the other, classed for requests and responses by themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from seatrial.openapi.references import UnreadableError, resolve

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
Operation = Mapping[str, Any]


def is_openapi(document: Any) -> bool:
    """Whether it is an OpenAPI 3 document: Swagger 2 writes its schemas in other places."""
    return (
        isinstance(document, Mapping)
        and str(document.get("openapi", "")).startswith("3.")
        and isinstance(document.get("paths"), Mapping)
    )


def operations(document: Mapping[str, Any]) -> dict[str, Operation]:
    """Return ``METHOD /path`` to the operation, with the path's own parameters; path parameters are ``{}``."""
    found: dict[str, Operation] = {}
    for path, node in document["paths"].items():
        try:
            item = resolve(document, node)
        except UnreadableError:
            continue
        for method in METHODS:
            if isinstance(item, Mapping) and isinstance(item.get(method), Mapping):
                operation = dict(item[method])
                operation["parameters"] = _joined(item.get("parameters", []), operation.get("parameters", []))
                operation["path parameters"] = re.findall(r"\{([^}]*)\}", str(path))
                operation["path"] = str(path)
                found[f"{method.upper()} {bare_path(str(path))}"] = operation
    return found


def _joined(shared: Any, own: Any) -> Any:
    """Return the parameters of the path and of the operation; what is no list is left for its reader to refuse."""
    odd = [each for each in (shared, own) if not isinstance(each, list)]
    return odd[0] if odd else [*shared, *own]


def bare_path(path: str) -> str:
    """Return a path without the names of its parameters.

    >>> bare_path("/models/{name}/score")
    '/models/{}/score'
    """
    return re.sub(r"{[^}]*}", "{}", path)


def documented_path(document: Mapping[str, Any], path: str) -> str:
    """Return the path as the document names it: behind a prefix, it is the end of the requested path."""
    found = [str(p) for p in document["paths"] if path == p or path.endswith(str(p))]
    return max(found, key=len, default=path)


def body_schema(document: Mapping[str, Any], name: str) -> Any:
    """Return the JSON schema of what an operation takes, or None."""
    return _json_of(document, operations(document).get(name, {}).get("requestBody"))


def answer_schema(document: Mapping[str, Any], name: str, status: int) -> tuple[bool, Any]:
    """Return whether the operation documents this status, and the JSON schema of its body where it has one."""
    responses = operations(document).get(name, {}).get("responses", {})
    for key in (str(status), f"{status // 100}XX", f"{status // 100}xx", "default"):
        if key in responses:
            return True, _json_of(document, responses[key])
    return False, None


def _json_of(document: Mapping[str, Any], node: Any) -> Any:
    try:
        content = resolve(document, node or {}).get("content", {})
    except UnreadableError:
        return None
    return next((v.get("schema") for k, v in content.items() if _is_json(k) and isinstance(v, Mapping)), None)


def _is_json(media: str) -> bool:
    plain = media.split(";", maxsplit=1)[0].strip().lower()
    return plain in ("application/json", "*/*", "application/*") or plain.endswith("+json")
