"""Compare two columns by what is allowed of them."""

from __future__ import annotations

from seatrial.parity.agreement.base import Source
from seatrial.parity.agreement.choose import Allowed
from seatrial.parity.cells import Cells, compare_columns
from seatrial.parity.columns import Column
from seatrial.parity.tolerance import Tolerance, bounds


def compare_allowed(
    expected: Column, actual: Column, allowed: Allowed, noise: float = 0.0, source: Source = None
) -> Cells:
    """Return where two aligned columns differ by more than is allowed.

    Args:
        expected: what training saw.
        actual: what is under trial.
        allowed: a tolerance, or another way of allowing a difference.
        noise: what was recorded of the column, in its unit.
        source: returns the column that sets the scale; by default ``expected``.
    """
    if isinstance(allowed, Tolerance):
        return compare_columns(expected, actual, bounds(allowed, expected.logical, actual.logical, noise, source))
    return allowed.compare(expected, actual, noise, source)
