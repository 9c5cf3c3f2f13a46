"""Compare cells that are Python objects, one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from seatrial.parity.cells.difference import Cells
from seatrial.parity.columns import Array, Column
from seatrial.parity.tolerance import Bounds


def as_objects(column: Column) -> Column:
    """Return the column with its cells as Python objects."""
    return Column("object", column.logical, column.objects())


def objects(expected: Column, actual: Column, bounds: Bounds) -> Cells:
    """Compare cells of any kind; those that are numbers are subtracted exactly."""
    null_e, null_a = expected.is_null(), actual.is_null()
    e, a = expected.values, actual.values
    both = np.flatnonzero(~(null_e | null_a))
    differs = [not same(x, y) for x, y in zip(e[both], a[both], strict=True)]
    rows = both[np.asarray(differs, dtype=bool)]
    cells = Cells(rows, np.flatnonzero(null_e != null_a))
    return cells if not len(rows) else _subtracted(cells, e, a, bounds)


def _subtracted(cells: Cells, e: Array, a: Array, bounds: Bounds) -> Cells:
    """Add the differences where every differing cell is a number, exact in Python before it is a float."""
    pairs = list(zip(e[cells.rows], a[cells.rows], strict=True))
    if not all(type(value) in (int, float) for pair in pairs for value in pair):
        return cells
    diff = np.array([_minus(y, x) for x, y in pairs])
    scale = np.abs(e[cells.rows].astype(np.float64))
    size = np.abs(diff)
    with np.errstate(all="ignore"):
        max_rel = float(np.fmax.reduce(size / scale, initial=0.0))
    max_abs = float(size.max())
    if not bounds.exact:
        beyond = ~(size <= bounds.atol + bounds.rtol * scale) | ~np.isfinite(size)
        return Cells(cells.rows[beyond], cells.flips, diff[beyond], max_abs, max_rel)
    return Cells(cells.rows, cells.flips, diff, max_abs, max_rel)


def _minus(y: Any, x: Any) -> float:
    from fractions import Fraction

    try:
        return float(Fraction(y) - Fraction(x))
    except (OverflowError, ValueError):  # an infinity
        return float(y) - float(x)


def same(x: Any, y: Any) -> bool:
    """Whether two Python cells are the same value: a bool is no number, NaN is NaN, order counts in lists."""
    if x is y:
        return True
    try:
        return _same(x, y)
    except Exception:  # noqa: BLE001 - a cell whose own comparison raises cannot be called the same
        return False


def _same(x: Any, y: Any) -> bool:
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(same(x[name], y[name]) for name in x)
    if isinstance(x, (list, tuple, np.ndarray)) and isinstance(y, (list, tuple, np.ndarray)):
        return len(x) == len(y) and all(same(p, q) for p, q in zip(x, y, strict=True))
    if isinstance(x, (bool, np.bool_)) != isinstance(y, (bool, np.bool_)):
        return False
    if x != x and y != y:  # noqa: PLR0124 - NaN is the value that is not itself
        return True
    return bool(x == y)
