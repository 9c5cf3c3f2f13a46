"""How many times larger actual is, where the two sides differ most."""

from __future__ import annotations

import numpy as np

from seatrial.parity.cells import Cells
from seatrial.parity.columns import Column

NEAR_ZERO = 1e-3  # of a column's typical size: a factor against less is no measure of anything


def factor(expected: Column, actual: Column, cells: Cells) -> float | None:
    """Return actual ÷ expected in the row of the largest difference; None where that says nothing."""
    if cells.diff is None or not len(cells.rows) or {expected.kind, actual.kind} != {"number"}:
        return None
    if expected.values.dtype.kind not in "iuf" or actual.values.dtype.kind not in "iuf":
        return None
    size = np.nan_to_num(np.abs(cells.diff), nan=0.0, posinf=0.0)
    at = cells.rows[[int(np.argmax(size))]]
    e, a = float(expected.values[at][0]), float(actual.values[at][0])
    typical = float(np.median(np.abs(expected.values[cells.rows].astype(np.float64))))
    if not (np.isfinite(e) and np.isfinite(a)) or abs(e) <= NEAR_ZERO * typical or a == 0:
        return None
    return a / e
