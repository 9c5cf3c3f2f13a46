"""What a service that runs already says of itself: its OpenAPI document."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.cli.start.applications import PREDICTS, READY
from seatrial.cli.start.schemas import Field, schema_fields
from seatrial.errors import UsageError

PATH = "/openapi.json"
SECONDS, MOST_BYTES = 10.0, 5_000_000


@dataclass(frozen=True)
class Documented:
    """The path that takes a request, its fields, those of the answer, a path that answers GET, and the framework."""

    predict: str
    request: tuple[Field, ...]
    answer: tuple[Field, ...]
    ready: str
    fastapi: bool


def read_document(url: str) -> Documented | None:
    """Read the OpenAPI document at an address; None where it has none that says how to ask it.

    Raises:
        UsageError: the address cannot be used, or nothing answers there.
    """
    from seatrial.pipeline.address import check_url  # brings pandas

    check_url(url)
    try:
        request = urllib.request.Request(url.rstrip("/") + PATH, headers={"Accept": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310  an address that the user gave
            document = json.loads(answer.read(MOST_BYTES))
    except (urllib.error.HTTPError, ValueError, RecursionError):
        return None  # it answers, and has no such document
    except OSError as error:
        raise UsageError(
            f"Nothing answers at {url} ({getattr(error, 'reason', error)}). Start the service, or correct --target; "
            "its OpenAPI document says which fields a request has."
        ) from error
    return documented(document)


def documented(document: Any) -> Documented | None:
    """Return what an OpenAPI document says of the path that predicts; None where it says nothing of one.

    Example:
        >>> schema = {"properties": {"id": {"type": "string"}, "age": {"type": "integer"}}}
        >>> body = {"content": {"application/json": {"schema": schema}}}
        >>> documented({"paths": {"/score": {"post": {"requestBody": body}}}}).request
        (Field(name='id', dtype='string'), Field(name='age', dtype='int64'))
    """
    paths = document.get("paths") if isinstance(document, dict) else None
    items = {p: item for p, item in paths.items() if isinstance(item, dict)} if isinstance(paths, dict) else {}
    posts = {path: item["post"] for path, item in items.items() if isinstance(item.get("post"), dict)}
    ordered = sorted(posts, key=lambda path: not any(word in path.lower() for word in PREDICTS))
    for path in ordered:
        if request := schema_fields(document, _schema(posts[path].get("requestBody"))):
            answers = posts[path].get("responses")
            answer = schema_fields(document, _schema(answers.get("200") if isinstance(answers, dict) else None))
            gets = [p for p, item in items.items() if "get" in item and "{" not in p]
            ready = next((p for p in gets if any(word in p.lower() for word in READY)), PATH)
            return Documented(path, request, answer, ready, "HTTPValidationError" in json.dumps(document))
    return None


def _schema(body: Any) -> Mapping[str, Any]:
    for name in ("content", "application/json", "schema"):
        body = body.get(name) if isinstance(body, dict) else None
    return body if isinstance(body, dict) else {}
