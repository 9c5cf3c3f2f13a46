"""Metrics of the order that scores give: areas under curves, binary and over pairs of classes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from seatrial.metrics.base import Array, Predictions, Weighted, ratio


def roc_auc(data: Predictions) -> Weighted:
    """Return the share of pairs of event and non-event in the right order; a tie counts half (Mann-Whitney U / PN)."""
    return _auc(data.labels, _scores(data))


def average_precision(data: Predictions) -> Weighted:
    """Return the sum over thresholds of precision times the step in recall; 0 without events."""
    order, ends = _ranked(-_scores(data))
    y = data.labels[order]

    def values(w: Array) -> Array:
        drawn = w[:, order]
        found = np.cumsum(drawn * y, axis=1)[:, ends]
        taken = np.cumsum(drawn, axis=1)[:, ends]
        steps = np.diff(found, axis=1, prepend=0.0)
        return ratio((steps * ratio(found, taken, 0.0)).sum(axis=1), found[:, -1], 0.0)

    return values


def one_versus_rest(weighted: bool) -> Callable[[Predictions], Weighted]:
    """Return the mean of each class's area against all others, equally or by the rows of the class."""

    def prepare(data: Predictions) -> Weighted:
        s, codes = _scores(data), data.codes
        of = [_auc((codes == c).astype(np.float64), s[:, c]) for c in range(s.shape[1])]

        def values(w: Array) -> Array:
            each = np.stack([area(w) for area in of], axis=1)
            return _averaged(each, _shares(codes, s.shape[1], w) if weighted else None)

        return values

    return prepare


def one_versus_one(weighted: bool) -> Callable[[Predictions], Weighted]:
    """Return the mean area over all pairs of classes (Hand & Till 2001), equally or by the rows of both classes."""

    def prepare(data: Predictions) -> Weighted:
        s, codes = _scores(data), data.codes
        pairs = list(combinations(range(s.shape[1]), 2))
        rows = [np.flatnonzero((codes == a) | (codes == b)) for a, b in pairs]
        of = [
            [_auc((codes[at] == c).astype(np.float64), s[at, c]) for c in pair]
            for pair, at in zip(pairs, rows, strict=True)
        ]

        def values(w: Array) -> Array:
            drawn = [w[:, at] for at in rows]
            each = np.stack([(a(d) + b(d)) / 2 for (a, b), d in zip(of, drawn, strict=True)], axis=1)
            shares = np.stack([d.sum(axis=1) for d in drawn], axis=1) if weighted else None
            return _averaged(each, shares)

        return values

    return prepare


def _auc(y: Array, s: Array) -> Weighted:
    order, ends = _ranked(s)
    starts = np.append(0, ends[:-1] + 1)
    y = y[order]

    def values(w: Array) -> Array:
        drawn = w[:, order]
        events = drawn * y
        others = drawn - events
        right = np.zeros(len(w))
        if len(ends):
            below = np.cumsum(others, axis=1)[:, ends]
            below = np.concatenate([np.zeros((len(w), 1)), below], axis=1)
            of_events, of_others = events.sum(axis=1)[:, None], others.sum(axis=1)[:, None]
            tied = ratio(np.add.reduceat(events, starts, axis=1), of_events)  # shares: no product overflows
            right = (tied * ratio((below[:, :-1] + below[:, 1:]) / 2, of_others)).sum(axis=1)
        return right

    return values


def _scores(data: Predictions) -> Array:
    assert data.scores is not None
    return data.scores


def _averaged(each: Array, weights: Array | None) -> Array:
    """Return the mean over classes; NaN where one of them is not defined."""
    return each.mean(axis=1) if weights is None else ratio((each * weights).sum(axis=1), weights.sum(axis=1))


def _shares(codes: Any, classes: int, w: Array) -> Array:
    return np.stack([w[:, codes == c].sum(axis=1) for c in range(classes)], axis=1)


def _ranked(s: Array) -> tuple[Any, Any]:
    """Return the ascending order and the last position of each run of ties in it."""
    order = np.argsort(s, kind="stable")
    ordered = s[order]
    return order, np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(s) - 1)
