"""What holds at one place of a cell: how its numbers and its text are compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from seatrial.parity.columns import ARROW, Column, sampled
from seatrial.parity.scale import scale
from seatrial.parity.tolerance import EXACT, Bounds, Tolerance, bounds

Path = tuple[Any, ...]  # the names and positions that lead to a place in a cell
MOST_CELLS = 5_000  # that tell the scale of each place


@dataclass(frozen=True)
class Rule:
    """What holds at one place of a cell, and, unless another rule is declared for it, at all places inside.

    ``text`` normalises strings. ``apart`` compares the whole place at once, in place of going inside: it returns how
    far the two are apart, None where they are close enough. ``parse`` reads text that holds other cells, as JSON does.
    ``floats`` is the type of Python's own floats: what an Arrow column held before its cells became Python's.
    """

    tolerance: Tolerance = EXACT
    noise: float = 0.0
    text: Callable[[str], str] | None = None
    apart: Callable[[Any, Any], float | None] | None = None
    parse: Callable[[str], Any] | None = None
    floats: str = "float64"

    def enter(self, step: Any) -> Rule:  # noqa: ARG002 - what inherits may heed it
        """Return what holds one step further inside: at a name, or at a position."""
        return self

    def bounds(self, expected: str, actual: str) -> Bounds:
        """Return the bounds for two numbers of the given types."""
        return bounds(self.tolerance, expected, actual, self.noise)


@dataclass(frozen=True)
class Scales:
    """The scale of every place of a column's cells: positions in lists are one place, names are one each."""

    source: Callable[[], Column] | None = None
    cells: Any = field(default_factory=list)  # where there is no source

    def at(self, path: Path) -> float:
        """Return the scale of the numbers at a place."""
        return self._known.get(_any_position(path), 0.0)

    @cached_property
    def _known(self) -> dict[Path, float]:
        found: dict[Path, list[Any]] = {}
        column = self.source() if self.source else None
        cells = column.take(sampled(len(column), MOST_CELLS)).objects() if column is not None else self.cells
        for cell in cells[:MOST_CELLS]:
            for path, numbers in _numbers(cell, ()):
                found.setdefault(path, []).append(numbers)
        return {path: scale(np.concatenate(parts)) for path, parts in found.items()}


def of_column(rule: Rule, column: Column) -> Rule:
    """Return a rule with the type of the floats that a column of nested Arrow cells holds, where it is one type."""
    kinds = set(re.findall(r"\bfloat(?:16|32|64)\b", column.logical)) if column.kind in ARROW else set()
    return replace(rule, floats=kinds.pop()) if len(kinds) == 1 else rule


def _numbers(cell: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(cell, np.ndarray) and cell.dtype.kind in "fc":
        yield (*path, *[None] * cell.ndim), cell.ravel()
    elif isinstance(cell, (float, np.floating, complex, np.complexfloating)):
        yield path, np.array([cell])
    elif isinstance(cell, Mapping):
        for name, value in cell.items():
            yield from _numbers(value, (*path, name))
    elif isinstance(cell, (list, tuple, set, frozenset, np.ndarray)):
        for value in cell:
            yield from _numbers(value, (*path, None))


def _any_position(path: Path) -> Path:
    return tuple(None if isinstance(step, int) else step for step in path)


def written(path: Path) -> str:
    """Return a path as it is said in a message.

    Example:
        >>> written(("boxes", 2, "score")), written((0, "a b"))
        ('.boxes[2].score', "[0]['a b']")
    """
    said = ""
    for step in path:
        plain = isinstance(step, str) and step.isidentifier()
        said += f".{step}" if plain else f"[{step!r}]"
    return said
