"""Metrics of probabilities: of the event, or one column a class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seatrial.metrics.base import Array, Predictions, Weighted, mean_of, ratio, summed


def log_loss(data: Predictions) -> Weighted:
    """Return the mean of the negative logarithm of the true class's probability, clipped as scikit-learn clips it."""
    return mean_of(-np.log(_clipped(data)))


def brier(data: Predictions) -> Weighted:
    """Return the mean squared error of the probabilities; of classes the sum over all of them, from 0 to 2."""
    p = _probabilities(data)
    if p.ndim == 1:
        return mean_of((data.labels - p) ** 2)
    return mean_of(((p - np.eye(p.shape[1])[data.codes]) ** 2).sum(axis=1))


def calibration_error(bins: int) -> Callable[[Predictions], Weighted]:
    """Return the expected calibration error over ``bins`` bins of equal width.

    The mean over rows of the absolute difference between predicted and observed share in the row's bin: of the event,
    or, of classes, of the predicted class being right. A probability on an edge belongs to the lower bin.
    """

    def prepare(data: Predictions) -> Weighted:
        p, y = _probabilities(data), data.labels
        if p.ndim == 2:
            y = (p.argmax(axis=1) == data.codes).astype(np.float64)
            p = p.max(axis=1)
        gap = y - p
        by_bin = summed(np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p), bins)
        return lambda w: ratio(np.abs(by_bin(w * gap)).sum(axis=1), w.sum(axis=1))

    return prepare


def _probabilities(data: Predictions) -> Array:
    assert data.scores is not None
    return data.scores


def _clipped(data: Predictions) -> Array:
    """Return the probability of the true class of each row, away from 0 and 1."""
    p, tiny = _probabilities(data), np.finfo(np.float64).eps
    of_true = np.where(data.labels == 1, p, 1 - p) if p.ndim == 1 else p[np.arange(len(p)), data.codes]
    return np.clip(of_true, tiny, 1 - tiny)
