"""Metrics of ranked lists, one list a request. The value of each request is computed once, and its mean resampled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from seatrial.metrics.base import Array, Codes, Predictions, Weighted, mean_of

OfLists = Callable[["_Lists"], Array]


@dataclass(frozen=True)
class _Lists:
    """Rows in the order of their request and their falling score.

    Attributes:
        request: the code of each row's request (n).
        gain: the relevance (n).
        rank: the position in the list, from 1 (n).
        last: the position of the last row of the same score in the same list (n).
        count: how many requests there are.
    """

    request: Codes
    gain: Array
    rank: Codes
    last: Codes
    count: int

    def sums(self, values: Any) -> Array:
        """Return the sum of a value by request (requests)."""
        return np.bincount(self.request, weights=values, minlength=self.count).astype(np.float64)


def by_request(of: OfLists) -> Callable[[Predictions], Weighted]:
    """Return the mean over requests of a value of their lists."""

    def prepare(data: Predictions) -> Weighted:
        assert data.scores is not None
        return mean_of(of(_lists(data.requests, data.labels, data.scores)))

    return prepare


def ndcg(k: int | None) -> OfLists:
    """Return the discounted gain of the first ``k`` rows over the best possible one; 0 where nothing is relevant.

    The gain is the relevance itself, and rows of one score share their mean, as in ``sklearn.metrics.ndcg_score``.
    """

    def values(lists: _Lists) -> Array:
        discount = np.where(lists.rank <= (k or np.inf), 1 / np.log2(lists.rank + 1), 0.0)
        _, tie = np.unique(np.stack([lists.request, lists.last]), axis=1, return_inverse=True)
        tie = tie.ravel()
        share = np.bincount(tie, weights=lists.gain) / np.maximum(np.bincount(tie), 1)
        best = _lists(lists.request, lists.gain, lists.gain, lists.count)
        found, possible = lists.sums(share[tie] * discount), best.sums(best.gain * discount)
        return np.divide(found, possible, out=np.zeros(lists.count), where=possible > 0)

    return values


def mean_average_precision(k: int | None) -> OfLists:
    """Return the mean over relevant rows of the precision at their position; 0 where nothing is relevant.

    With ``k`` the positions after it count nothing, and the mean is over as many relevant rows as ``k`` places hold.
    A row ties with the worst place: no order of equal scores is better than another.
    """

    def values(lists: _Lists) -> Array:
        relevant = (lists.gain > 0).astype(np.float64)
        before = np.cumsum(relevant)
        begin = np.append(0, np.cumsum(np.bincount(lists.request, minlength=lists.count)))[lists.request]
        offset = np.append(0.0, before)[begin]
        hits = before[begin + lists.last - 1] - offset
        counted = relevant * (lists.last <= (k or np.inf))
        found = lists.sums(counted * hits / lists.last)
        most = np.minimum(lists.sums(relevant), k or np.inf)
        return np.divide(found, most, out=np.zeros(lists.count), where=most > 0)

    return values


def reciprocal_rank(k: int | None) -> OfLists:
    """Return 1 over the position of the first relevant row; 0 where the first ``k`` hold none. Ties count as last."""

    def values(lists: _Lists) -> Array:
        best = np.zeros(lists.count)
        counted = (lists.gain > 0) & (lists.last <= (k or np.inf))
        np.maximum.at(best, lists.request[counted], 1 / lists.last[counted])
        return best

    return values


def rankable(requests: Codes | None, labels: Array) -> int:
    """Return how many requests have rows of different relevance, so that one order is better than another."""
    if requests is None or not len(labels):
        return 0
    count = int(requests.max()) + 1
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, requests, labels)
    np.maximum.at(high, requests, labels)
    return int((high > low).sum())


def _lists(requests: Codes | None, gain: Array, score: Array, count: int | None = None) -> _Lists:
    codes = np.zeros(len(gain), dtype=np.int64) if requests is None else requests
    order = np.lexsort((-score, codes))
    codes, gain, score = codes[order], gain[order], score[order]
    rows = np.arange(len(codes))
    new_list = np.append(True, codes[1:] != codes[:-1])[: len(codes)]
    begin = np.maximum.accumulate(np.where(new_list, rows, 0))
    new_tie = new_list | np.append(True, score[1:] != score[:-1])[: len(codes)]
    ends = np.append(np.flatnonzero(new_tie)[1:], len(codes))
    last = ends[np.cumsum(new_tie) - 1] - begin
    return _Lists(codes, gain, rows - begin + 1, last, count or int(codes.max(initial=-1)) + 1)
