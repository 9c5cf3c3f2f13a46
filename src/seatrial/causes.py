"""Name why a column differs, where that can be told.

Each cause is one function from a :class:`Change` to a :class:`Cause` or None; ``NAMERS`` lists them in
the order in which they are asked. To add a cause, write the function and put it in the list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from seatrial.logical import Array, Column


@dataclass(frozen=True)
class Cause:
    """Why a column differs: a slug, and a sentence without cell values."""

    name: str
    detail: str


@dataclass(frozen=True)
class Change:
    """What a cause may be told from: the aligned columns and the rows in which they differ."""

    column: str
    expected: Column
    actual: Column
    rows: Array  # both have a value, and the values differ
    flips: Array  # one of them is null


NAMERS: list[Callable[[Change], Cause | None]] = []


def name_cause(change: Change) -> Cause | None:
    """Return the first cause that explains the change, or None."""
    return next((cause for cause in (namer(change) for namer in NAMERS) if cause), None)
