"""What a metric is, and what it is computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Codes = np.ndarray[Any, np.dtype[np.int64]]
Task = Literal["events", "classes", "numbers", "ranking"]
Weighted = Callable[[Array], Array]
"""A function of weights (b, n) that returns values (b)."""

UNBOUNDED = (-np.inf, np.inf)


@dataclass(frozen=True)
class Predictions:
    """What one model predicted for rows whose labels are known.

    Attributes:
        labels: the labels (n): numbers, relevances, 0 or 1 for events, or codes of classes from 0.
        scores: the scores (n), or one column a class (n, classes); None where only decisions are known.
        decided: the codes of the predicted classes (n); None where no metric needs decisions.
        classes: how many classes there are.
        requests: the codes of the requests that the rows belong to (n), from 0 without gaps; None where each row is
            a request of its own.

    Example:
        >>> found = Predictions(np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.9, 0.4]), np.array([0, 1, 0]))
        >>> found.take(found.labels == 1).scores.tolist()
        [0.9, 0.4]
    """

    labels: Array
    scores: Array | None = None
    decided: Codes | None = None
    classes: int = 2
    requests: Codes | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def known(self) -> Any:
        """Return a mask of the rows with finite scores and a decision."""
        known = np.ones(len(self), dtype=bool)
        if self.scores is not None:
            known &= np.isfinite(self.scores.reshape(len(self), -1)).all(axis=1)
        return known if self.decided is None else known & (self.decided >= 0)

    @property
    def codes(self) -> Codes:
        """Return the labels as codes of classes."""
        return self.labels.astype(np.int64)

    def take(self, rows: Any) -> Predictions:
        """Return some rows, by position or mask."""
        requests = None if self.requests is None else np.unique(self.requests[rows], return_inverse=True)[1]
        return replace(
            self,
            labels=self.labels[rows],
            scores=None if self.scores is None else self.scores[rows],
            decided=None if self.decided is None else self.decided[rows],
            requests=requests,
        )


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: its name in ``sklearn.metrics``, with its parameter after an ``@`` where it has one.
        better: whether a higher or a lower value is better; a limit is the lowest or the highest acceptable value.
        of: the tasks that it is defined for.
        needs: ``scores`` of any scale, ``probabilities``, or ``decisions``.
        prepare: a function of predictions that returns a function of weights (b, n), or (b, requests) for a ranking;
            its values (b) are NaN where a resample leaves the metric undefined.
        range: the lowest and the highest possible value.

    Example:
        >>> from seatrial.metrics import metric
        >>> found = Predictions(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        >>> metric("mae").value(found)
        1.0
        >>> metric("mae").prepare(found)(np.array([[1.0, 1.0], [0.0, 2.0]])).tolist()
        [1.0, 2.0]
    """

    name: str
    better: Literal["higher", "lower"]
    of: tuple[Task, ...]
    needs: Literal["scores", "probabilities", "decisions"]
    prepare: Callable[[Predictions], Weighted]
    range: tuple[float, float] = (0.0, 1.0)

    @property
    def sign(self) -> int:
        """Return 1 where a higher value is better, -1 where a lower one is."""
        return 1 if self.better == "higher" else -1

    @property
    def by_request(self) -> bool:
        """Whether its weights are of requests, not of rows."""
        return self.of == ("ranking",)

    def value(self, predictions: Predictions) -> float:
        """Return the metric of predictions; NaN where it is not defined."""
        units = len(predictions)
        if self.by_request and predictions.requests is not None:
            units = int(predictions.requests.max(initial=-1)) + 1
        return float(self.prepare(predictions)(np.ones((1, units)))[0])

    def holds(self, value: float, limit: float) -> bool:
        """Return whether a value is within a limit; NaN never is.

        Example:
            >>> from seatrial.metrics import metric
            >>> metric("roc_auc").holds(0.91, 0.9), metric("rmse").holds(0.91, 0.9)
            (True, False)
        """
        return bool(self.sign * value >= self.sign * limit)


def ratio(a: Array, b: Array, empty: float = np.nan) -> Array:
    """Return ``a / b``, and ``empty`` where ``b`` is 0."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.divide(a, b, out=np.full(np.broadcast(a, b).shape, empty), where=b != 0))


def mean_of(loss: Array) -> Weighted:
    """Return the weighted mean of a value a row; the values are scaled first, so that no sum overflows."""
    unit = float(np.abs(loss).max(initial=0.0))
    if not unit or not np.isfinite(unit):
        return lambda w: ratio(w @ loss, w.sum(axis=1))
    scaled = loss / unit
    return lambda w: ratio(w @ scaled, w.sum(axis=1)) * unit


def summed(codes: Codes, count: int) -> Weighted:
    """Return the sums of the weights by code, (b, count)."""
    return lambda w: np.stack([np.bincount(codes, weights=row, minlength=count) for row in w])
