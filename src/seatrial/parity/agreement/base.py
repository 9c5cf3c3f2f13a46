"""What every way of allowing a difference has in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from seatrial.parity.cells import Cells, Rule, compare_columns, second_look
from seatrial.parity.columns import Column
from seatrial.parity.tolerance import IDENTICAL, bounds

Source = Callable[[], Column] | None


class Allowance(Protocol):
    """What one column allows; ``Cosine``, ``TopK``, ``Text`` and ``Json`` are such, ``Tolerance`` is for numbers."""

    @property
    def share(self) -> float:
        """The part of the rows that may differ."""

    def rule(self, noise: float = 0.0) -> Rule:
        """Return what holds of one cell."""

    def refusal(self, column: Column) -> str:
        """Return why it cannot apply to a column of the reference; the empty string where it can."""

    def compare(self, expected: Column, actual: Column, noise: float, source: Source) -> Cells:
        """Return where two aligned columns differ."""


def compare_by_rule(expected: Column, actual: Column, rule: Rule, source: Any) -> Cells:
    """Compare what is not identical by a rule, cell by cell; the identical cells, most of them, at once."""
    first = compare_columns(expected, actual, bounds(IDENTICAL, expected.logical, actual.logical))
    cells = second_look(first, expected, actual, rule, source) if len(first.rows) else first
    return replace(cells, diff=None)
