"""Metrics of decisions, all from the confusion matrix of each resample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from seatrial.metrics.base import Array, Predictions, Weighted, ratio, summed

Average = Literal["macro", "micro", "weighted"]
OfMatrix = Callable[[Array], Array]


def of_confusion(values: OfMatrix) -> Callable[[Predictions], Weighted]:
    """Return a metric from a function of confusion matrices (b, classes, classes), true class first.

    A matrix holds shares of the weight, so that weights of any scale neither overflow nor vanish.
    """

    def prepare(data: Predictions) -> Weighted:
        assert data.decided is not None
        k = data.classes
        cells = summed(data.codes * k + data.decided, k * k)

        def weighted(w: Array) -> Array:
            counts = cells(w)
            return values(ratio(counts, counts.sum(axis=1, keepdims=True)).reshape(len(w), k, k))

        return weighted

    return prepare


def accuracy(c: Array) -> Array:
    """Return the share of rows whose decision is right."""
    return np.asarray(np.trace(c, axis1=1, axis2=2))


def balanced_accuracy(c: Array) -> Array:
    """Return the mean recall over the classes that have rows."""
    recalls = ratio(_right(c), c.sum(axis=2))
    there = ~np.isnan(recalls)
    return ratio(np.where(there, recalls, 0.0).sum(axis=1), there.sum(axis=1))


def precision(c: Array) -> Array:
    """Return the share of events among the rows decided to be one; 0 where there is none."""
    return ratio(c[:, 1, 1], c[:, :, 1].sum(axis=1), 0.0)


def recall(c: Array) -> Array:
    """Return the share of events that were decided to be one; 0 without events."""
    return ratio(c[:, 1, 1], c[:, 1, :].sum(axis=1), 0.0)


def f1(c: Array) -> Array:
    """Return the harmonic mean of precision and recall; 0 where both are."""
    return ratio(2 * c[:, 1, 1], c[:, :, 1].sum(axis=1) + c[:, 1, :].sum(axis=1), 0.0)


def false_positive_rate(c: Array) -> Array:
    """Return the share of rows without the event that were decided to be one; 0 without such rows."""
    return ratio(c[:, 0, 1], c[:, 0, :].sum(axis=1), 0.0)


def selection_rate(c: Array) -> Array:
    """Return the share of rows decided to be an event."""
    return np.asarray(c[:, :, 1].sum(axis=1))


def averaged(of: Literal["precision", "recall", "f1"], average: Average) -> OfMatrix:
    """Return a metric of one class, averaged over the classes that are a label or a decision."""

    def values(c: Array) -> Array:
        right, true, decided = _right(c), c.sum(axis=2), c.sum(axis=1)
        if average == "micro":
            return accuracy(c)  # each row has one label and one decision
        part, whole = {"precision": (right, decided), "recall": (right, true), "f1": (2 * right, true + decided)}[of]
        each = ratio(part, whole, 0.0)
        if average == "weighted":
            return np.asarray((each * true).sum(axis=1))
        there = (true + decided) > 0
        return ratio((each * there).sum(axis=1), there.sum(axis=1))

    return values


def cohen_kappa(c: Array) -> Array:
    """Return the agreement above chance; NaN where chance alone agrees always."""
    apart = c * ~np.eye(c.shape[1], dtype=bool)
    return np.asarray(1 - ratio(apart.sum(axis=(1, 2)), _differ(c.sum(axis=2), c.sum(axis=1))))


def matthews(c: Array) -> Array:
    """Return the correlation of label and decision; 0 where either is constant."""
    true, decided = c.sum(axis=2), c.sum(axis=1)
    if c.shape[1] == 2:
        both = 2 * (c[:, 0, 0] * c[:, 1, 1] - c[:, 0, 1] * c[:, 1, 0])  # does not cancel where a class is rare
    else:
        both = accuracy(c) - (true * decided).sum(axis=1)
    return ratio(both, np.sqrt(_differ(true, true) * _differ(decided, decided)), 0.0)


def _right(c: Array) -> Array:
    return np.asarray(np.diagonal(c, axis1=1, axis2=2))


def _differ(a: Array, b: Array) -> Array:
    """Return the probability that two draws by these shares (b, classes) are of different classes, uncancelled."""
    return np.asarray((a * (b @ (1.0 - np.eye(a.shape[1])))).sum(axis=1))
