"""What teams keep in ``expectations/contract/``: examples of the service's clients, and a pinned OpenAPI document.

An example is a file ``expectations/contract/<consumer>/<name>.json``::

    {"request": {"method": "POST", "path": "/score", "body": {"amount": 1200}},
     "status": 200,
     "response": {"decision": "approve"}}

``response`` holds the fields that the consumer reads; all other fields may have any value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seatrial.errors import PolicyError
from seatrial.io import strict_json
from seatrial.io.files import is_leftover
from seatrial.policy.settings import Settings, setting, validated

FOLDER, DOCUMENT = "contract", "openapi.json"
MANY_BYTES = 8 * 2**20
DEPTH = 500  # of a body or a document


class Request(Settings):
    """The request of an example."""

    method: str = setting("POST", min_length=1, says="HTTP method.")
    path: str | None = setting(
        None, pattern="^/(?:[^/]|$)", example="/score", allowed="a path on the service that begins with one '/'",
        says="Path of the request; by default the prediction path.",
    )  # fmt: skip
    headers: Mapping[str, str] = setting({}, says="HTTP headers, by name.", allowed="an object of strings")
    body: Any = setting(None, says="Body of the request; null: none.")


class ExampleFile(Settings):
    """The file expectations/contract/CONSUMER/NAME.json: a request of a consumer, and the response that it expects."""

    request: Request = setting(says="Request that the consumer sends.")
    status: int = setting(200, ge=100, le=599, says="HTTP status that the consumer expects.")
    response: Any = setting(
        None, says="Response fields that the consumer reads, with their values. All other fields may have any value."
    )
    tolerance: float = setting(1e-9, ge=0, says="Maximum relative difference of a number from the expected one.")
    note: str = setting("", says="Why the consumer needs this example.")


@dataclass(frozen=True)
class Example:
    """A request that a consumer sends, and what it reads of the response.

    Attributes:
        name: ``consumer/file``.
        body: of the request, JSON; None for none.
        path: where it goes; None for the prediction path.
        status: that it expects.
        response: the part of the response that it reads; None where it reads nothing.
        tolerance: largest relative difference of a number from the expected one.
    """

    name: str
    body: Any = field(repr=False)
    method: str = "POST"
    path: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    response: Any = field(default=None, repr=False)
    tolerance: float = 1e-9

    @property
    def consumer(self) -> str:
        """Whose example it is."""
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Pinned:
    """What ``expectations/contract/`` holds; ``openapi`` is None where no document is pinned."""

    examples: Sequence[Example] = ()
    openapi: Mapping[str, Any] | None = None


def load_pinned(folder: Path) -> Pinned:
    """Read the folder; one that is not there holds nothing.

    Raises:
        PolicyError: naming the file and what in it cannot be used.
    """
    if not folder.is_dir():
        return Pinned()
    examples, document = [], None
    for path in sorted(p for p in folder.rglob("*.json") if not is_leftover(p.relative_to(folder))):
        if path == folder / DOCUMENT:
            document = _json(path)
            if not isinstance(document, dict) or "paths" not in document:
                raise PolicyError(f"{path} is not an OpenAPI document: it has no 'paths'.")
        elif path.parent == folder:
            raise PolicyError(f"{path} belongs to no consumer. Put examples in {folder}/<consumer>/.")
        else:
            examples.append(_example(path, path.relative_to(folder).with_suffix("").as_posix()))
    return Pinned(tuple(examples), document)


def _example(path: Path, name: str) -> Example:
    content = _json(path)
    if not isinstance(content, dict):
        raise PolicyError(f'{path} must hold an object. Example: {{"request": {{"body": {{"amount": 1200}}}}}}.')
    found = validated(ExampleFile, content, path, PolicyError, form="json")
    request = found.request
    return Example(
        name, request.body, request.method.upper(), request.path, request.headers, found.status, found.response,
        found.tolerance,
    )  # fmt: skip


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > MANY_BYTES:
            raise PolicyError(f"{path} is longer than {MANY_BYTES:,} bytes.")
        return strict_json.loads(path.read_bytes(), depth=DEPTH, any_text=True)
    except ValueError as error:
        raise PolicyError(f"{path} is not JSON: {error}.") from error
