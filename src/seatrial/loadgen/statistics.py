"""When a percentile may be said to hold.

The rule is the early stopping of MLPerf LoadGen: with ``t`` requests over the limit and ``h`` under it, the
percentile ``p`` holds with confidence ``c`` when ``I_p(h, t + 1) <= 1 - c``, ``I`` being the regularised
incomplete beta function. It assumes independent requests, and those of a queue are not: one slow answer
makes the next one late. Hence several runs, their number and size fixed beforehand, all of which must hold.
How often that is wrong, p99 at 99 %, 1 000 trials each of a single-server queue (tests/bench/simulate_slo.py):

| utilisation | runs × requests | on the limit, passed | 20 % better, passed | |
|---|---|---|---|---|
| 0.0 | 1 × 2010 | 0.5% | 94.0% |  |
| 0.0 | 1 × 5000 | 0.5% | 100.0% | chosen |
| 0.5 | 1 × 10000 | 22.5% | 98.7% |  |
| 0.5 | 3 × 5000 | 1.0% | 75.1% |  |
| 0.5 | 3 × 10000 | 1.5% | 95.8% | chosen |
| 0.8 | 1 × 10000 | 49.8% | 88.3% |  |
| 0.8 | 3 × 10000 | 10.8% | 65.8% |  |
| 0.8 | 7 × 10000 | 1.1% | 37.1% |  |
| 0.8 | 5 × 60000 | 1.8% | 93.8% | chosen |

Longer runs do not protect a correlated service from a wrong pass, more runs do; longer runs let a good one pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.errors import UsageError

Holds = Literal["held", "broken", "unshown"]

# (up to this utilisation, runs, requests a run) for p99, from the table above.
PLANS = ((0.0, 1, 5_000), (0.5, 3, 10_000), (0.8, 5, 60_000))


def holds(requests: int, misses: int, *, percentile: float = 0.99, confidence: float = 0.99) -> bool:
    """Say whether so many misses among so many requests show that the percentile is within its limit."""
    from scipy.special import betainc

    _check(percentile, confidence)
    return bool(requests > misses and betainc(requests - misses, misses + 1, percentile) <= 1 - confidence)


def required(misses: int, *, percentile: float = 0.99, confidence: float = 0.99) -> int:
    """Return the fewest requests, misses included, that can hold the percentile with so many misses."""
    low, high = misses, misses + 1
    while not holds(high, misses, percentile=percentile, confidence=confidence):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle, misses, percentile=percentile, confidence=confidence):
            high = middle
        else:
            low = middle
    return high


@cache
def allowed(requests: int, *, percentile: float = 0.99, confidence: float = 0.99) -> int:
    """Return the most misses with which so many requests still hold the percentile; -1 where not even none."""
    low, high = -1, requests
    while high - low > 1:
        middle = (low + high) // 2
        if holds(requests, middle, percentile=percentile, confidence=confidence):
            low = middle
        else:
            high = middle
    return low


def _check(percentile: float, confidence: float) -> None:
    for name, value in (("percentile", percentile), ("confidence", confidence)):
        if not 0 < value < 1:
            raise UsageError(f"The {name} is a share between 0 and 1, like 0.99; {value:g} is not.")


@dataclass(frozen=True)
class Plan:
    """What is fixed before the first request: ``runs`` independent runs of ``requests`` each."""

    runs: int
    requests: int
    percentile: float = 0.99
    confidence: float = 0.99

    def __post_init__(self) -> None:
        least = required(0, percentile=self.percentile, confidence=self.confidence)
        if self.runs < 1 or self.requests < least:
            raise UsageError(
                f"{self.runs} runs of {self.requests} requests cannot show p{self.percentile * 100:g} at "
                f"{self.confidence:.0%}, even without a miss. It takes 1 run or more of {least} or more."
            )


def plan(utilisation: float) -> Plan:
    """Return the plan for a p99 that passes a service standing on its limit at most twice in a hundred trials.

    Raises:
        UsageError: a utilisation outside 0 to 0.8; beyond that no number of runs that anyone waits for helps.
    """
    for most, runs, requests in PLANS:
        if 0 <= utilisation <= most:
            return Plan(runs, requests)
    raise UsageError(
        f"There is no plan for a utilisation of {utilisation:g}. Put the limit's rate at half the capacity, 0.5."
    )


@dataclass(frozen=True)
class RuleResult:
    """What the runs of a plan show together.

    ``held``: every run holds by the rule. ``broken``: in some run more than the allowed share missed.
    ``unshown``: neither; ``needed`` requests a run would have been enough for the misses of the worst run.
    ``correlation`` is the highest lag-1 autocorrelation of misses; where ``independent`` is false the
    confidence of a single run does not mean what it says, and only the number of runs protects.
    """

    holds: Holds
    misses: tuple[int, ...]
    requests: tuple[int, ...]
    needed: int
    correlation: float
    independent: bool


def judge(runs: Sequence[ArrayLike], plan: Plan) -> RuleResult:
    """Judge the misses of each run, arrays of booleans in the order of the schedule, by the plan.

    Fewer or more runs than planned, or fewer requests in one of them, show nothing: ``unshown``.
    """
    columns = [np.asarray(run, dtype=bool) for run in runs]
    misses, requests = tuple(int(each.sum()) for each in columns), tuple(len(each) for each in columns)
    rule = {"percentile": plan.percentile, "confidence": plan.confidence}
    complete = len(columns) == plan.runs and min(requests, default=0) >= plan.requests
    correlations = [autocorrelation(each) for each in columns]
    outcome: Holds = "unshown"
    if any(t > n * (1 - plan.percentile) and n >= plan.requests for t, n in zip(misses, requests, strict=True)):
        outcome = "broken"
    elif complete and all(holds(n, t, **rule) for t, n in zip(misses, requests, strict=True)):
        outcome = "held"
    return RuleResult(
        outcome,
        misses,
        requests,
        needed=max(plan.requests, required(max(misses, default=0), **rule)),
        correlation=max(correlations, default=0.0),
        independent=all(value <= 1.96 / math.sqrt(max(n, 1)) for value, n in zip(correlations, requests, strict=True)),
    )


def autocorrelation(values: ArrayLike) -> float:
    """Return the lag-1 autocorrelation; 0 where nothing varies. Independent values stay within 1.96/√n."""
    column = np.asarray(values, dtype=float)
    column = column - column.mean() if len(column) else column
    power = float(column @ column)
    return float(column[1:] @ column[:-1]) / power if power > 0 else 0.0


def quantile(latencies: ArrayLike, percentile: float) -> float:
    """Return the smallest value that at least this share of the values do not exceed; values may be infinite."""
    _check(percentile, 0.5)
    column = np.asarray(latencies, dtype=float)
    rank = math.ceil(percentile * len(column) - 1e-9)
    return float(np.partition(column, rank - 1)[rank - 1]) if len(column) else math.nan


def bounds(latencies: ArrayLike, percentile: float, *, confidence: float = 0.99) -> tuple[float, float]:
    """Return a lower and an upper bound of a percentile, each of which holds with ``confidence``.

    Order statistics at binomial ranks: nothing is assumed about the distribution, only that the values are
    independent (David and Nagaraja, Order Statistics, 2003, section 7.1). A bound that the sample is too
    small for is ±inf: a p99 has no upper bound below 299 values at 95 % or 459 at 99 %.
    """
    from scipy.stats import binom

    _check(percentile, confidence)
    column: NDArray[np.float64] = np.sort(np.asarray(latencies, dtype=float))
    count = len(column)
    upper = int(binom.ppf(confidence, count, percentile)) + 1  # P(X_(r) >= q) = P(Bin <= r - 1)
    lower = int(binom.isf(confidence, count, percentile))  # P(X_(r) <= q) = P(Bin >= r)
    return (
        float(column[lower - 1]) if 1 <= lower <= count else -math.inf,
        float(column[upper - 1]) if 1 <= upper <= count else math.inf,
    )


def too_many(count: int, of: int, allowed: float) -> bool:
    """Whether so many of them are more than ``allowed`` explains: 1 in 100 at most by chance (binomial)."""
    from scipy.stats import binom

    return count > 0 and float(binom.sf(count - 1, of, allowed)) < 0.01
