"""What teams keep in ``expectations/contract/``: examples of those who ask the service, and a pinned OpenAPI.

An example is a file ``expectations/contract/<consumer>/<name>.json``::

    {"request": {"method": "POST", "path": "/score", "body": {"amount": 1200}},
     "status": 200,
     "response": {"decision": "approve"}}

``response`` is what the consumer reads and no more: what it does not name may be anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seatrial.errors import PolicyError, unknown
from seatrial.io import strict_json

FOLDER, DOCUMENT = "contract", "openapi.json"
MANY_BYTES = 8 * 2**20
DEPTH = 500  # of a body or a document


@dataclass(frozen=True)
class Example:
    """A request that a consumer sends, and what it reads of the answer.

    Attributes:
        name: ``consumer/file``.
        body: of the request, JSON; None for none.
        path: where it goes; None for the service's own path of prediction.
        status: that it expects.
        response: the part of the answer that it reads; None where it reads nothing.
        tolerance: how far numbers may stray, relative to the expected one.
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
    for path in sorted(folder.rglob("*.json")):
        if path == folder / DOCUMENT:
            document = _json(path)
            if not isinstance(document, dict) or "paths" not in document:
                raise PolicyError(f"{path} is no OpenAPI document: it has no 'paths'.")
        elif path.parent == folder:
            raise PolicyError(f"{path} belongs to no consumer. Put examples in {folder}/<consumer>/.")
        else:
            examples.append(_example(path, path.relative_to(folder).with_suffix("").as_posix()))
    return Pinned(tuple(examples), document)


def _example(path: Path, name: str) -> Example:
    told = _table(path, "An example", _json(path), ("request", "status", "response", "tolerance", "note"))
    if "request" not in told:
        raise PolicyError(f"{path} has no 'request'.")
    request = _table(path, "'request'", told["request"], ("method", "path", "headers", "body"))
    status, tolerance = told.get("status", 200), told.get("tolerance", 1e-9)
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status < 600:
        raise PolicyError(f"{path}: 'status' is a number from 100 to 599.")
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not tolerance >= 0:
        raise PolicyError(f"{path}: 'tolerance' is a number, 0 or more, relative to what is expected.")
    where = request.get("path")
    if where is not None and (not isinstance(where, str) or not where.startswith("/") or where.startswith("//")):
        raise PolicyError(f"{path}: 'path' of the request begins with one '/', and stays on the service.")
    headers = request.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(v, str) for v in headers.values()):
        raise PolicyError(f"{path}: 'headers' of the request maps names to text.")
    method = str(request.get("method", "POST")).upper()
    return Example(
        name, request.get("body"), method, where, headers, status, told.get("response"), float(tolerance)
    )  # fmt: skip


def _table(path: Path, what: str, value: Any, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise PolicyError(f"{path}: {what} is an object.")
    for name in value:
        if name not in known:
            raise PolicyError(f"{path}: {unknown('Field', name, known)}")
    return value


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > MANY_BYTES:
            raise PolicyError(f"{path} is longer than {MANY_BYTES:,} bytes.")
        return strict_json.loads(path.read_bytes(), depth=DEPTH, any_text=True)
    except ValueError as error:
        raise PolicyError(f"{path} is not JSON: {error}.") from error
