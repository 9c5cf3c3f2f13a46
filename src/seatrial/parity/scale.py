"""The scale of a column: how large its numbers are, told by the small ones among the typical."""

from __future__ import annotations

from typing import Any

import numpy as np

from seatrial.parity.columns import sampled

SAMPLE = 20_000  # numbers looked at


def scale(values: Any) -> float:
    """Return the lower quartile of the magnitudes of an array's finite numbers that are not zero; 0 without any.

    The largest numbers say nothing about what matters in the others, so neither mean nor maximum serves: three
    quarters of a column may be huge and the small ones are still told apart. Zeros and what is not finite have no
    scale. For normally distributed numbers it is about a third of their standard deviation.

    Args:
        values: a numpy array of real or complex numbers.

    Example:
        >>> scale(np.array([0.0, 1e-7, 2e-7, 3e-7, 4e-7, np.nan, 1e9]))
        2e-07
    """
    values = np.asarray(values).ravel()
    with np.errstate(all="ignore"):
        sizes = np.abs(values[sampled(len(values), SAMPLE)]).astype(np.float64)
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if not len(sizes):
        return 0.0
    at = (len(sizes) - 1) // 4
    return float(np.partition(sizes, at)[at])
