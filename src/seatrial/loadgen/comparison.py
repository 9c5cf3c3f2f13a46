"""Whether the challenger is slower than the champion. The run is the unit, never the request.

Requests of one run share its conditions: pooled over two runs of the same service, a Mann-Whitney test raises a
false alarm more often than not. So both services are run repeatedly, interleaved, and the pairs are compared.

Of each run the figure is the geometric mean of its latencies (:func:`figure`): a high percentile of one run varies by
itself as much as any margin worth stating, so that identical versions are seldom told to be alike by it. And the two
runs of a pair have the same arrivals and payloads (common random numbers; Law, Simulation Modeling and Analysis,
section 11.2), so that what these make of both latencies cancels out. What a plan shows how often is in
docs/explanation/statistics.md, from tests/bench/bench_load_verdict.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from seatrial.errors import UsageError

Conclusion = Literal["regression", "no regression", "not enough runs"]
MIN_PAIRS, PAIRS = 5, 10
PAIR_REQUESTS = 1_200  # of a run: enough to show that two versions of a queue at half load are alike within 10 %
MIN_PAIR_REQUESTS = 50
_SHORTEST = 1e-6  # seconds


@dataclass(frozen=True)
class Comparison:
    """What pairs of runs show.

    Attributes:
        conclusion: ``not enough runs`` is inconclusive, and never a pass.
        ratio: challenger over champion, the geometric mean over the pairs.
        low: one-sided lower bound of the ratio.
        high: one-sided upper bound of the ratio.
        pairs: how many could be used.
        reason: a clause for a message.
    """

    conclusion: Conclusion
    ratio: float
    low: float
    high: float
    pairs: int
    reason: str


def interleaved_order(pairs: int, seed: int) -> tuple[tuple[Literal["champion", "challenger"], ...], ...]:
    """Return who runs first in each pair: half the pairs each way, in a seeded order, so that drift cancels.

    Example:
        >>> interleaved_order(2, seed=1)
        (('champion', 'challenger'), ('challenger', 'champion'))
    """
    first = np.arange(pairs) % 2 == 0
    np.random.default_rng(seed).shuffle(first)
    return tuple(("champion", "challenger") if each else ("challenger", "champion") for each in first)


def figure(latencies: ArrayLike, allowed: float = 0.01) -> float:
    """Return the figure by which a run is compared: the geometric mean of its latencies.

    Args:
        latencies: in seconds, shape (requests,); infinite without a good answer.
        allowed: the share of them that may be infinite and is left out. Where more are, the figure is infinite.

    Example:
        >>> round(figure([0.1, 0.4]), 3)
        0.2
    """
    column = np.asarray(latencies, dtype=float)
    good = column[np.isfinite(column)]
    if not len(good) or len(column) - len(good) > allowed * len(column):
        return math.inf
    return float(np.exp(np.log(np.maximum(good, _SHORTEST)).mean()))


def compare_runs(
    champion: Sequence[float], challenger: Sequence[float], *, margin: float = 0.05, alpha: float = 0.05
) -> Comparison:
    """Compare one figure per run, such as that of :func:`figure`, pair by pair.

    A paired t-test on the logarithms, each side at level ``alpha``. ``no regression``: the challenger is shown to be
    less than ``margin`` slower (non-inferiority). ``regression``: it is shown to be slower by more than that.
    Otherwise ``not enough runs``. A run without the figure (infinite: too many requests had no good response) counts
    against the challenger where two of its runs or more have none; a champion's run without it makes its pair
    unusable.

    Args:
        champion: one figure above 0 per run, shape (pairs,).
        challenger: the figures of the runs paired with them, shape (pairs,).
        margin: how much slower still counts as not slower.
        alpha: level of each one-sided bound.

    Raises:
        UsageError: sequences of different length, or figures that are not above 0.

    Example:
        >>> compare_runs([0.100, 0.110, 0.105, 0.098, 0.102], [0.101, 0.109, 0.105, 0.099, 0.101]).conclusion
        'no regression'
    """
    before, after = np.asarray(champion, dtype=float), np.asarray(challenger, dtype=float)
    if before.shape != after.shape or before.ndim != 1:
        raise UsageError(
            f"Every run of the champion needs one of the challenger: found {len(before)} and {len(after)}."
        )
    if not ((before > 0).all() and (after > 0).all()):
        raise UsageError("Every run needs a figure above 0, infinite where it has none.")
    usable = np.isfinite(before)
    failed = int((usable & np.isinf(after)).sum())
    if failed >= 2:
        reason = f"in {failed} pairs the challenger failed too many requests for the figure to exist"
        return Comparison("regression", math.inf, math.inf, math.inf, int(usable.sum()), reason)
    usable &= np.isfinite(after)
    logs = np.log(after[usable] / before[usable])
    count = len(logs)
    if failed or count < MIN_PAIRS:
        reason = f"{count} usable pairs of {len(before)}; at least {MIN_PAIRS} are needed, none with failed runs"
        return Comparison("not enough runs", _ratio(logs), 0.0, math.inf, count, reason)
    low, high = _interval(logs, alpha)
    conclusion: Conclusion
    if high < 1 + margin:
        conclusion, side = "no regression", "below the margin of"
    elif low > 1 + margin:
        conclusion, side = "regression", "above the margin of"
    else:
        conclusion, side = "not enough runs", "on both sides of the margin of"
    reason = f"challenger over champion is between {low:.3f} and {high:.3f}, {side} {1 + margin:g}"
    return Comparison(conclusion, _ratio(logs), low, high, count, reason)


def _ratio(logs: np.ndarray) -> float:
    return float(np.exp(logs.mean())) if len(logs) else math.nan


def _interval(logs: np.ndarray, alpha: float) -> tuple[float, float]:
    from scipy.stats import t

    half = float(t.ppf(1 - alpha, len(logs) - 1)) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return math.exp(float(logs.mean()) - half), math.exp(float(logs.mean()) + half)
