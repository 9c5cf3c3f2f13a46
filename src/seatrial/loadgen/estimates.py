"""Figures of a sample: quantiles and their bounds, autocorrelation, and shares beyond chance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.errors import UsageError


def require_shares(**values: float) -> None:
    """Raise UsageError, with its name, for a value that is not between 0 and 1."""
    for name, value in values.items():
        if not 0 < value < 1:
            raise UsageError(f"The {name} must be a share between 0 and 1, such as 0.99; found {value:g}.")


def autocorrelation(values: ArrayLike) -> float:
    """Return the lag-1 autocorrelation of values of shape (n,); 0 where nothing varies.

    Of independent values it is below 1.96 / √n in 97.5 % of all samples.

    Example:
        >>> autocorrelation([1, 1, 1])
        0.0
    """
    column = np.asarray(values, dtype=float)
    column = column - column.mean() if len(column) else column
    power = float(column @ column)
    return float(column[1:] @ column[:-1]) / power if power > 0 else 0.0


def quantile(latencies: ArrayLike, percentile: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed.

    Args:
        latencies: shape (n,), in any unit; values may be infinite. Of no values the quantile is NaN.
        percentile: such as 0.99.

    Example:
        >>> quantile([1, 2, 3, 4], 0.5)
        2.0
    """
    require_shares(percentile=percentile)
    column = np.asarray(latencies, dtype=float)
    rank = math.ceil(percentile * len(column) - 1e-9)
    return float(np.partition(column, rank - 1)[rank - 1]) if len(column) else math.nan


def bounds(latencies: ArrayLike, percentile: float, *, confidence: float = 0.99) -> tuple[float, float]:
    """Return a lower and an upper bound of a percentile, each of which holds with ``confidence``.

    Order statistics at binomial ranks: nothing is assumed about the distribution, only that the values are
    independent (David and Nagaraja, Order Statistics, 2003, section 7.1). A bound for which the sample is too
    small is ±inf: a p99 has no upper bound below 299 values at 95 %, or below 459 at 99 %.

    Args:
        latencies: shape (n,), in any unit; values may be infinite.
        percentile: such as 0.99.
        confidence: of each bound.

    Example:
        >>> bounds(range(1, 460), 0.99)
        (451.0, 459.0)
    """
    from scipy.stats import binom

    require_shares(percentile=percentile, confidence=confidence)
    column: NDArray[np.float64] = np.sort(np.asarray(latencies, dtype=float))
    count = len(column)
    upper = int(binom.ppf(confidence, count, percentile)) + 1  # P(X_(r) >= q) = P(Bin <= r - 1)
    lower = int(binom.isf(confidence, count, percentile))  # P(X_(r) <= q) = P(Bin >= r)
    return (
        float(column[lower - 1]) if 1 <= lower <= count else -math.inf,
        float(column[upper - 1]) if 1 <= upper <= count else math.inf,
    )


def exceeds_share(count: int, of: int, allowed: float) -> bool:
    """Return whether ``count`` out of ``of`` is more than the share ``allowed`` explains.

    By chance it is true in at most 1 of 100 cases (a one-sided binomial test).

    Example:
        >>> exceeds_share(3, 100, 0.01), exceeds_share(6, 100, 0.01)
        (False, True)
    """
    from scipy.stats import binom

    return count > 0 and float(binom.sf(count - 1, of, allowed)) < 0.01
