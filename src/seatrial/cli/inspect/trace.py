"""``seatrial trace``: one recorded request through every stage, reference and result side by side."""

from __future__ import annotations

import json
from pathlib import Path

from seatrial.cli.conventions import Json


def trace(version: str, *, key: str, project: Path = Path(), as_json: Json = False) -> int:
    """Run one request of the reference through every stage of the version, and compare each frame with the reference.

    Args:
        version: version as models:/NAME/VERSION, models:/NAME@ALIAS or NAME/VERSION.
        key: key of the request, as findings name it; the columns of a key are separated by " / ".
        project: project directory.
        as_json: print JSON.
    """
    from seatrial.cli.inspect.steps import lines, plain, traced

    steps = traced(project, version, key)
    print(json.dumps(plain(steps), indent=2) if as_json else "\n".join(lines(version, key, steps)))  # noqa: T201
    return int(any(not step.same for step in steps))
