"""Paths into nested cells, in the words of JSONPath: ``$.boxes[*].score``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from seatrial.errors import PolicyError

ANY = object()  # any name, or any position
Steps = tuple[Any, ...]
_STEP = re.compile(
    r"\.(?P<name>[^.\[\]*'\"\s]+)|\.(?P<all>\*)|\[(?P<each>\*)\]|\[(?P<at>\d+)\]|\[(?P<q>['\"])(?P<quoted>.+?)(?P=q)\]"
)


def steps_of(path: object) -> Steps:
    """Return the steps of a path.

    Raises:
        PolicyError: it is no path.

    Example:
        >>> steps_of("$.boxes[0]['a b']")
        ('boxes', 0, 'a b')
    """
    text = path if isinstance(path, str) else ""
    at, steps = 1, list[Any]()
    while text.startswith("$") and at < len(text) and (step := _STEP.match(text, at)):
        name = step["name"] or step["quoted"]
        steps.append(name if name is not None else int(step["at"]) if step["at"] else ANY)
        at = step.end()
    if not text.startswith("$") or at < len(text):
        raise PolicyError(
            f"{path!r} is no path into a cell. A path starts with $ and goes on with .name, ['any name'], [0], [*] or "
            ".*, as in '$.boxes[*].score'."
        )
    return tuple(steps)


def fits(step: Any, found: Any) -> bool:
    """Whether a step of a path is the one that was found in a cell."""
    return step is ANY or (step == found and isinstance(step, str) == isinstance(found, str))


def reached(cell: Any, steps: Steps) -> list[Any]:
    """Return the values in a cell that a path leads to."""
    if not steps:
        return [cell]
    if isinstance(cell, Mapping):
        inside = [(str(name), value) for name, value in cell.items()]
    elif isinstance(cell, (list, tuple, np.ndarray)):
        inside = list(enumerate(cell))  # type: ignore[arg-type]
    else:
        return []
    return [value for found, part in inside if fits(steps[0], found) for value in reached(part, steps[1:])]


def generic(cell: Any, path: str = "$") -> set[str]:
    """Return every path in a cell, positions as ``[*]``."""
    if isinstance(cell, Mapping):
        inside = [
            (f".{n}" if re.fullmatch(r"[^.\[\]*'\"\s]+", str(n)) else f"[{str(n)!r}]", v) for n, v in cell.items()
        ]
    elif isinstance(cell, (list, tuple, np.ndarray)):
        inside = [("[*]", value) for value in cell[:50]]
    else:
        return {path}
    return {path}.union(*(generic(value, path + step) for step, value in inside))
