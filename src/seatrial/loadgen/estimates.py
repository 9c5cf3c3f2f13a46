"""Figures of a sample: quantiles and their bounds, the share of misses with its bounds, and shares beyond chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.errors import UsageError


def require_shares(**values: float) -> None:
    """Raise UsageError, with its name, for a value that is not between 0 and 1."""
    for name, value in values.items():
        if not 0 < value < 1:
            raise UsageError(f"The {name} must be a share between 0 and 1, such as 0.99; found {value:g}.")


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


BATCHES = 20  # of one run, each of consecutive requests
_BATCH_REQUESTS, _FEWEST_BATCHES = 20, 5
_CORRELATED = (5, 10)  # the effect is also taken where so many times the allowed share is over


@dataclass(frozen=True)
class MissShare:
    """The share of requests over a limit, and what correlated requests tell of it.

    Attributes:
        share: of the requests, in all runs together.
        requests: in all runs together.
        effect: the design effect: so many requests tell as much as one independent request.
        batches: from which the effects were estimated.
        misses_effect: the design effect of the misses alone, from which the lower bound is taken: where it matters,
            there are misses enough.
    """

    share: float
    requests: int
    effect: float
    batches: int
    misses_effect: float = 1.0

    def bounds(self, alpha: float, requests: int | None = None) -> tuple[float, float]:
        """Return a lower and an upper bound of the share in the long run, each wrong with probability ``alpha``.

        The interval of Korn and Graubard (Survey Methodology 24, 1998, pp. 193-201) for shares in clustered samples:
        the exact binomial (Clopper-Pearson) bounds for the effective number of requests ``n / effect``, which is
        reduced by ``(t(n - 1) / t(batches - 1))²``, the quantiles of Student's t at ``1 - alpha``, because the effect
        is itself an estimate.

        Args:
            alpha: such as 0.01.
            requests: another number of requests with the same share and effect; by default those there were.
        """
        from scipy.stats import beta, t

        count = self.requests if requests is None else requests
        if count < 2 or self.batches < 2:
            return 0.0, 1.0
        known = min(1.0, float(t.ppf(1 - alpha, count - 1) / t.ppf(1 - alpha, self.batches - 1)) ** 2)
        own = count / self.misses_effect * known
        misses = self.share * own
        low = float(beta.ppf(alpha, misses, own - misses + 1)) if misses > 0 else 0.0
        effective = count / self.effect * known
        misses = self.share * effective
        high = float(beta.ppf(1 - alpha, misses + 1, effective - misses)) if misses < effective else 1.0
        return low, high


def miss_share(runs: Sequence[ArrayLike], limit: float, allowed: float) -> MissShare:
    """Return the share of latencies over a limit in independent runs, and how strongly requests are correlated.

    One slow answer of a queue makes the next one late, so that the counts of misses vary more than those of
    independent requests would. The design effect is the ratio of the two variances, taken from batches of consecutive
    requests (batch means; Law, Simulation Modeling and Analysis, section 9.5). Misses are few, and where there are
    none their counts do not vary at all. So the effect is also taken where 5 and 10 times the allowed share is over,
    and the largest of the three, at least 1, is used for the upper bound.

    Args:
        runs: the latencies of each run in the order of the schedule, shape (requests,); infinite without an answer.
        limit: in the same unit.
        allowed: the share of requests that may be over the limit, such as 0.01.

    Example:
        >>> miss_share([[0.1] * 99 + [0.3]], 0.25, 0.01).share
        0.01
    """
    columns = [np.asarray(run, dtype=float) for run in runs]
    columns = [column for column in columns if len(column)]
    if not columns:
        return MissShare(0.0, 0, 1.0, 0)
    together = np.concatenate(columns)
    levels = [quantile(together, 1 - min(0.5, times * allowed)) for times in _CORRELATED]
    parts = [np.array_split(each, _batches(len(each))) for each in columns]
    batches = [part for run in parts for part in run]
    own, *others = (max(1.0, _effect([part > level for part in batches])) for level in (limit, *levels))
    return MissShare(float((together > limit).mean()), len(together), max(own, *others), len(batches), own)


def _batches(requests: int) -> int:
    """Return into how many batches a run of so many requests is divided."""
    return min(requests, BATCHES, max(_FEWEST_BATCHES, requests // _BATCH_REQUESTS))


def _effect(batches: Sequence[NDArray[np.bool_]]) -> float:
    """Return the variance of the batches' counts over that of independent requests; 1 where nothing varies."""
    sizes, counts = np.array([len(b) for b in batches]), np.array([int(b.sum()) for b in batches])
    total, share = int(sizes.sum()), float(counts.sum() / sizes.sum())
    if len(batches) < 2 or not 0 < share < 1:
        return 1.0
    variance = float(((counts - share * sizes) ** 2).sum()) * len(batches) / (len(batches) - 1)
    return variance / (total * share * (1 - share))
