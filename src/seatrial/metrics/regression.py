"""Metrics of numbers. Labels are centred and residuals scaled first: no offset cancels, no square overflows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seatrial.metrics.base import Array, Predictions, Weighted, mean_of, ratio

HUGE = 1e300  # differences of numbers beyond it may overflow
FLAT = 1e-20  # a spread below this part of the largest is looked at again: are the labels drawn all equal?


def mse(data: Predictions) -> Weighted:
    """Return the mean squared error."""
    root = rmse(data)

    def values(w: Array) -> Array:
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(root(w) ** 2)

    return values


def rmse(data: Predictions) -> Weighted:
    """Return the root of the mean squared error."""
    r, unit = _residuals(data)
    mean = mean_of(r**2)
    return lambda w: np.asarray(np.sqrt(mean(w)) * unit)


def mae(data: Predictions) -> Weighted:
    """Return the mean absolute error."""
    r, unit = _residuals(data)
    mean = mean_of(np.abs(r))
    return lambda w: mean(w) * unit


def mape(data: Predictions) -> Weighted:
    """Return the mean of the absolute error as a share of the label; enormous where a label is 0."""
    r, unit = _residuals(data)
    with np.errstate(over="ignore", under="ignore"):
        return mean_of(np.abs(r) * (unit / np.maximum(np.abs(data.labels), np.finfo(np.float64).eps)))


def pinball(alpha: float) -> Callable[[Predictions], Weighted]:
    """Return the mean loss of a predicted quantile ``alpha``."""

    def prepare(data: Predictions) -> Weighted:
        r, unit = _residuals(data)
        mean = mean_of(np.where(r >= 0, alpha * r, (alpha - 1) * r))
        return lambda w: mean(w) * unit

    return prepare


def r2(data: Predictions) -> Weighted:
    """Return the share of the labels' variance that is explained; of constant labels 1 where all is right, else 0."""
    assert data.scores is not None
    if max(np.abs(data.labels).max(initial=0.0), np.abs(data.scores).max(initial=0.0)) > HUGE:
        data = Predictions(data.labels / HUGE, data.scores / HUGE)  # the share is the same in any unit
    (r, unit), y = _residuals(data), data.labels
    if len(y) < 2:
        return lambda w: np.full(len(w), np.nan)
    centred = y - np.median(y)  # the bulk keeps its digits beside any outlier
    scale = float(np.abs(centred).max())
    if not scale:
        return lambda w: _of_constant(w @ r**2, w.sum(axis=1))
    z, squared = centred / scale, r**2

    def values(w: Array) -> Array:
        total = w.sum(axis=1)
        apart = z - ratio(w @ z, total)[:, None]
        spread = np.einsum("bn,bn,bn->b", w, apart, apart)
        missed = w @ squared
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            value = 1 - ratio(missed, spread) * (unit / scale) ** 2
        for b in np.flatnonzero(~(spread > FLAT * total)):
            drawn = y[w[b] > 0]
            if len(drawn) and (drawn == drawn[0]).all():
                value[b] = _of_constant(missed[b], total[b])
        return np.asarray(value)

    return values


def _of_constant(missed: Array, total: Array) -> Array:
    return np.asarray(np.where(total > 0, np.where(missed == 0, 1.0, 0.0), np.nan))


def _residuals(data: Predictions) -> tuple[Array, float]:
    """Return the errors in units of the largest, and that unit."""
    assert data.scores is not None
    with np.errstate(over="ignore"):
        r = data.labels - data.scores
    unit = float(np.abs(r).max(initial=0.0))
    if not np.isfinite(unit):
        r = data.labels / 2 - data.scores / 2
        half = float(np.abs(r).max())
        return r / half, 2 * half
    return (r / unit, unit) if unit else (r, 1.0)
