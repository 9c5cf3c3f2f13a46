"""Columns that have another name and the same values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

import numpy as np

from seatrial.parity.causes.change import OtherColumns
from seatrial.parity.causes.rows import equal_cells, few_values
from seatrial.parity.columns import Array, Column

Read = Callable[[str, Array], Column]


def renamed(missing: Sequence[str], extra: Sequence[str], expected: Read, actual: Read, rows: int) -> dict[str, str]:
    """Return the new name of each missing column whose values are all in one extra column.

    Args:
        missing: columns of the expected frame alone.
        extra: columns of the actual frame alone.
        expected: reads a column of the expected frame at aligned rows.
        actual: reads a column of the actual frame at aligned rows.
        rows: how many rows are aligned.
    """
    if not (missing and extra and rows >= 3):
        return {}
    others, found = OtherColumns(extra, rows, actual), dict[str, str]()
    every = np.arange(rows)
    for name in missing:
        was = expected(name, every)
        if few_values(was):  # two constant columns are alike by chance
            continue
        alike = [other for other in others.like(was) if other not in found.values()]
        alike.sort(key=lambda other: -SequenceMatcher(None, name, other).ratio())
        for other in alike:
            now = actual(other, every)
            if (now.kind, now.logical) == (was.kind, was.logical) and equal_cells(was, now).all():
                found[name] = other
                break
    return found
