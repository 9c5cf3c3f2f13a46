"""Ranked lists that have most of their first items in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seatrial.errors import PolicyError
from seatrial.parity.agreement.base import Source, compare_by_rule
from seatrial.parity.cells import Cells, Rule
from seatrial.parity.columns import Column
from seatrial.parity.tolerance import check_share, is_number


@dataclass(frozen=True)
class TopK:
    """Ranked lists are the same when enough of their first ``k`` items are in both, in any order.

    For columns of lists. What comes after the first ``k`` is not compared. A list of fewer than ``k`` items is
    compared whole, and its overlap is the share of the longer of the two. Items are compared exactly.

    Args:
        k: how many items from the start.
        overlap: the smallest share of them (0 to 1) that both lists hold; 1 means all of them.
        by: the name that tells items apart where they are dicts, such as ``item_id``; the rest of them is not compared.
        share: the part of the rows (0 to 1) that may differ.

    Raises:
        PolicyError: a number out of range.

    Example:
        >>> TopK(10, overlap=0.9)
        TopK(k=10, overlap=0.9, by=None, share=0.0)
    """

    k: int
    overlap: float = 1.0
    by: str | None = None
    share: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.k, int) or isinstance(self.k, bool) or self.k < 1:
            raise PolicyError(f"TopK({self.k!r}): k is a number of items, 1 or more.")
        if not (is_number(self.overlap) and 0 < self.overlap <= 1):
            raise PolicyError(f"TopK(overlap={self.overlap!r}): an overlap is above 0 and up to 1 (0.9 is 90 %).")
        if self.by is not None and not isinstance(self.by, str):
            raise PolicyError(f"TopK(by={self.by!r}): by is the name of a field.")
        check_share(self.share)

    def rule(self, noise: float = 0.0) -> Rule:
        """Return what holds of one cell."""
        return Rule(noise=noise, apart=self._apart)

    def refusal(self, column: Column) -> str:
        """Return why it cannot apply to a column of the reference; the empty string where it can."""
        logical = column.logical
        if logical in ("null", "object[mixed]", "list[null]", "list[mixed]"):
            return ""
        if not logical.startswith(("list[", "array[")):
            return "TopK applies to ranked lists"
        dicts = logical.startswith(("list[dict", "list[struct"))
        if dicts and self.by is None:
            return "TopK applies to lists of dicts with by=, the name that tells them apart"
        return "" if dicts or self.by is None else "TopK applies to lists of dicts where by= is given"

    def compare(self, expected: Column, actual: Column, noise: float, source: Source) -> Cells:
        """Return where two aligned columns differ."""
        return compare_by_rule(expected, actual, self.rule(noise), source)

    def _apart(self, x: Any, y: Any) -> float | None:
        first, second = ([self._item(item) for item in list(side)[: self.k]] for side in (x, y))
        common = sum((Counter(first) & Counter(second)).values())
        apart = 1 - common / max(len(first), len(second), 1)
        if not (first or second):
            apart = 0.0
        return apart if apart > 1 - self.overlap + 1e-12 else None

    def _item(self, item: Any) -> Any:
        if self.by is not None:
            item = item[self.by]
        return _hashable(item)


def _hashable(item: Any) -> Any:
    if isinstance(item, (list, tuple, np.ndarray)):
        return tuple(map(_hashable, item))
    if isinstance(item, Mapping):
        return frozenset((name, _hashable(part)) for name, part in item.items())
    # True is 1 and hashes alike; a NaN is only equal to itself when it is one object
    return "NaN" if item != item else (isinstance(item, (bool, np.bool_)), item)  # noqa: PLR0124
