"""The process that speaks to ClearML: reads requests from its input, and replies to its output, one JSON a line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seatrial.errors import SeatrialError
from seatrial.registry.clearml import offline, runs, session, stored, versions
from seatrial.registry.unavailable import is_unavailable


def log_run(body: dict[str, Any], folder: str, key: str, state: str) -> str:
    """Log a run on the server, or offline as an archive below ``state``; return its id."""
    if session.offline():
        return offline.archive(body, Path(folder), key, state)
    return runs.log_run(body, Path(folder), key)


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "pages": session.pages,
    "resolve": versions.resolve,
    "changed_since": versions.changed_since,
    "aliases": versions.aliases,
    "move_tag": versions.move_tag,
    "annotate": versions.annotate,
    "model": stored.model,
    "reference": stored.reference,
    "store_reference": stored.store_reference,
    "has_reference": stored.has_reference,
    "log_run": log_run,
    "listed": runs.listed,
    "download": stored.download,
    "sync": offline.sync,
}


def reply(line: str) -> dict[str, Any]:
    """Return the reply to one request: its result, or the error's class and sentence, and whether ClearML is away."""
    try:
        request = json.loads(line)
        return {"result": OPERATIONS[request["operation"]](**request["arguments"])}
    except SeatrialError as error:
        return {"error": type(error).__name__, "message": str(error), "away": is_unavailable(error)}
    except Exception as error:  # noqa: BLE001  whatever the package raises is one sentence there
        return {"error": "RegistryError", "message": session.described(error), "away": is_unavailable(error)}


def main() -> None:
    """Reply until the input ends. What the package prints goes to the errors, never between the replies."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        session.configure()
        for line in sys.stdin:
            replies.write(json.dumps(reply(line)) + "\n")
            replies.flush()
    os._exit(0)  # the package's threads and exit hooks have nothing left to send


if __name__ == "__main__":
    main()
