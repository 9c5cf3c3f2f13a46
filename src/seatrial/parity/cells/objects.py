"""Compare cells that are Python objects, one by one."""

from __future__ import annotations

import marshal
from typing import Any

import numpy as np

from seatrial.parity.cells.difference import Cells, Place
from seatrial.parity.cells.rules import Rule, Scales, of_column
from seatrial.parity.cells.walk import Walk
from seatrial.parity.columns import Array, Column
from seatrial.parity.tolerance import Bounds

_EARLIER = 2  # a version of marshal that writes equal values as equal bytes, whichever of them are one object


def as_objects(column: Column) -> Column:
    """Return the column with its cells as Python objects."""
    return Column("object", column.logical, column.objects())


def objects(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    """Compare cells of any kind by the tolerance of their column; those that are numbers are subtracted exactly."""
    null_e, null_a = expected.is_null(), actual.is_null()
    rule = Rule(bounds.tolerance, bounds.noise)
    return walked(
        expected, actual, rule, np.flatnonzero(~(null_e | null_a)), np.flatnonzero(null_e != null_a), bounds.source
    )


def walked(expected: Column, actual: Column, rule: Rule, rows: Array, flips: Array, source: Any = None) -> Cells:
    """Compare the cells of some rows by a rule; ``flips`` are the rows where one side alone is null."""
    e, a = expected.take(rows).objects(), actual.take(rows).objects()
    scales = Scales(source, e)
    differs = np.zeros(len(rows), dtype=bool)
    diff = np.zeros(len(rows))
    max_abs = max_rel = 0.0
    worst: Place | None = None
    numeric = True
    for n, (x, y) in enumerate(zip(e, a, strict=True)):
        if x is y or _same_bytes(x, y):
            continue
        walk = Walk(scales)
        differs[n] = walk.differ(x, y, rule)
        max_abs, max_rel = max(max_abs, walk.max_abs), max(max_rel, walk.max_rel)
        if differs[n]:
            numeric = numeric and walk.signed is not None
            diff[n] = walk.signed or 0.0
            if worst is None or walk.size > worst.size:
                worst = Place(int(rows[n]), walk.place, walk.size)
    return Cells(rows[differs], flips, diff[differs] if numeric else None, max_abs, max_rel, worst)


def second_look(cells: Cells, expected: Column, actual: Column, rule: Rule, source: Any = None) -> Cells:
    """Compare the cells that are not identical once more, by a rule that Arrow and numpy do not know."""
    return walked(expected, actual, of_column(rule, expected), cells.rows, cells.flips, source)


def _same_bytes(x: Any, y: Any) -> bool:
    """Whether two cells are the same without a doubt: a quick look at what most cells are."""
    if type(x) is not type(y) or not isinstance(x, (dict, list, tuple, str, bytes, int, float)):
        return False
    try:
        return marshal.dumps(x, _EARLIER) == marshal.dumps(y, _EARLIER)
    except ValueError:  # it holds something else
        return False
