"""Metrics of predictions, computed for many bootstrap resamples at once: each takes a matrix of row weights.

Names and values are those of ``sklearn.metrics``. A weight is the number of times that a resample drew the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from seatrial.errors import PolicyError, unknown

Array = np.ndarray[Any, np.dtype[np.float64]]
Values = Callable[[Array, Array, Array], Array]

THRESHOLD = 0.5  # a score from here on predicts the event, for metrics of decisions
CELLS_AT_ONCE = 4_000_000  # resamples times rows held in memory: 32 MB of float64


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: its name in ``sklearn.metrics``.
        better: whether a higher or a lower value is better; a limit is the lowest or the highest acceptable value.
        of: ``events`` for labels 0 and 1, ``numbers`` for regression.
        scores: ``any`` for scores that rank, ``probability`` for scores between 0 and 1.
        values: a function of labels (n), scores (n) and weights (b, n) that returns values (b); NaN where a resample
            has only one class.

    Example:
        >>> labels, scores, weights = np.array([1.0, 2.0]), np.array([1.0, 4.0]), np.array([[1.0, 1.0], [0.0, 2.0]])
        >>> metric("mae").values(labels, scores, weights).tolist()
        [1.0, 2.0]
    """

    name: str
    better: Literal["higher", "lower"]
    of: Literal["events", "numbers"]
    scores: Literal["any", "probability"]
    values: Values

    @property
    def sign(self) -> int:
        """Return 1 where a higher value is better, -1 where a lower one is."""
        return 1 if self.better == "higher" else -1

    def holds(self, value: float, limit: float) -> bool:
        """Return whether a value is within a limit; NaN never is.

        Example:
            >>> metric("roc_auc").holds(0.91, 0.9), metric("rmse").holds(0.91, 0.9)
            (True, False)
        """
        return bool(self.sign * value >= self.sign * limit)


def metric(name: str) -> Metric:
    """Return a metric by its name.

    Raises:
        PolicyError: there is no such metric; the message names the nearest one.
    """
    if name not in METRICS:
        raise PolicyError(unknown("Metric", name, METRICS))
    return METRICS[name]


def resamples(rows: int, count: int, seed: int | Sequence[int]) -> Iterator[Array]:
    """Yield bootstrap weights in blocks (b, rows), ``count`` resamples in all; the same seed gives the same weights."""
    rng = np.random.default_rng(seed)
    step = max(1, CELLS_AT_ONCE // rows)
    for begin in range(0, count, step):
        b = min(step, count - begin)
        drawn = rng.integers(0, rows, (b, rows)) + rows * np.arange(b)[:, None]
        yield np.bincount(drawn.ravel(), minlength=b * rows).reshape(b, rows).astype(np.float64)


def _roc_auc(y: Array, s: Array, w: Array) -> Array:
    """Return the share of pairs of event and non-event in the right order; a tie counts half (Mann-Whitney U / PN)."""
    order, ends = _ranked(s)
    events = w[:, order] * y[order]
    others = w[:, order] - events
    below = np.cumsum(others, axis=1)[:, ends]
    below = np.concatenate([np.zeros((len(w), 1)), below], axis=1)
    tied = np.add.reduceat(events, _starts(ends), axis=1)
    right = (tied * (below[:, :-1] + below[:, 1:]) / 2).sum(axis=1)
    return _ratio(right, events.sum(axis=1) * others.sum(axis=1))


def _average_precision(y: Array, s: Array, w: Array) -> Array:
    """Return the sum over thresholds of precision times the step in recall."""
    order, ends = _ranked(-s)
    found = np.cumsum(w[:, order] * y[order], axis=1)[:, ends]
    taken = np.cumsum(w[:, order], axis=1)[:, ends]
    steps = np.diff(found, axis=1, prepend=0.0)
    return _ratio((steps * _ratio(found, taken, 0.0)).sum(axis=1), found[:, -1])


def _mean(loss: Callable[[Array, Array], Any]) -> Values:
    return lambda y, s, w: _ratio(w @ loss(y, s), w.sum(axis=1))


def _log_loss(y: Array, s: Array) -> Array:
    tiny = np.finfo(np.float64).eps  # sklearn clips there too
    p = np.clip(s, tiny, 1 - tiny)
    return -(y * np.log(p) + (1 - y) * np.log1p(-p))


def _share(part: Callable[[Array, Array], Array], whole: Callable[[Array, Array], Array]) -> Values:
    """Return a ratio of weighted counts, 0 where the denominator is 0; ``yes`` is the decision at the threshold."""

    def values(y: Array, s: Array, w: Array) -> Array:
        yes = (s >= THRESHOLD).astype(np.float64)
        return _ratio(w @ part(y, yes), w @ whole(y, yes), 0.0)

    return values


def _rmse(y: Array, s: Array, w: Array) -> Array:
    return np.asarray(np.sqrt(_mean(_squared)(y, s, w)))


def _squared(y: Array, s: Array) -> Array:
    return np.asarray((y - s) ** 2)


def _r2(y: Array, s: Array, w: Array) -> Array:
    total = w.sum(axis=1)
    spread = w @ (y * y) - (w @ y) ** 2 / total
    return np.asarray(1 - _ratio(w @ (y - s) ** 2, spread))


def _ranked(s: Array) -> tuple[Any, Any]:
    """Return the ascending order and the last position of each run of ties in it."""
    order = np.argsort(s, kind="stable")
    return order, np.append(np.flatnonzero(np.diff(s[order])), len(s) - 1)


def _starts(ends: Any) -> Any:
    return np.append(0, ends[:-1] + 1)


def _ratio(a: Array, b: Array, empty: float = np.nan) -> Array:
    return np.asarray(np.divide(a, b, out=np.full(np.broadcast(a, b).shape, empty), where=b != 0))


METRICS = {
    m.name: m
    for m in (
        Metric("roc_auc", "higher", "events", "any", _roc_auc),
        Metric("average_precision", "higher", "events", "any", _average_precision),
        Metric("log_loss", "lower", "events", "probability", _mean(_log_loss)),
        Metric("brier", "lower", "events", "probability", _mean(_squared)),
        Metric("accuracy", "higher", "events", "probability", _mean(lambda y, s: (s >= THRESHOLD) == y)),
        Metric("precision", "higher", "events", "probability", _share(lambda y, yes: yes * y, lambda _, yes: yes)),
        Metric("recall", "higher", "events", "probability", _share(lambda y, yes: yes * y, lambda y, _: y)),
        Metric("f1", "higher", "events", "probability", _share(lambda y, yes: 2 * yes * y, lambda y, yes: yes + y)),
        Metric("rmse", "lower", "numbers", "any", _rmse),
        Metric("mae", "lower", "numbers", "any", _mean(lambda y, s: np.abs(y - s))),
        Metric("r2", "higher", "numbers", "any", _r2),
    )
}
