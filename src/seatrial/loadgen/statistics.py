"""When a run shows that a percentile holds.

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
from numpy.typing import ArrayLike

from seatrial.errors import UsageError
from seatrial.formatting import plural, share
from seatrial.loadgen.estimates import autocorrelation, require_shares

Decision = Literal["held", "violated", "inconclusive"]
"""What runs show of a percentile's limit; ``inconclusive`` is never a pass."""

# (up to this utilisation, runs, requests a run) for p99, from the table above.
PLANS = ((0.0, 1, 5_000), (0.5, 3, 10_000), (0.8, 5, 60_000))


def holds(requests: int, misses: int, *, percentile: float = 0.99, confidence: float = 0.99) -> bool:
    """Return whether so many misses among so many requests show that the percentile is within its limit.

    Raises:
        UsageError: a percentile or confidence that is not between 0 and 1.

    Example:
        >>> holds(2_010, 10), holds(2_009, 10)
        (True, False)
    """
    from scipy.special import betainc

    require_shares(percentile=percentile, confidence=confidence)
    return bool(requests > misses and betainc(requests - misses, misses + 1, percentile) <= 1 - confidence)


def required_requests(misses: int, *, percentile: float = 0.99, confidence: float = 0.99) -> int:
    """Return the fewest requests, misses included, with which the percentile holds despite so many misses.

    Example:
        >>> required_requests(0), required_requests(10)
        (459, 2010)
    """
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
def allowed_misses(requests: int, *, percentile: float = 0.99, confidence: float = 0.99) -> int:
    """Return the most misses with which the percentile still holds; -1 where it does not even without one.

    Example:
        >>> allowed_misses(2_010), allowed_misses(458)
        (10, -1)
    """
    low, high = -1, requests
    while high - low > 1:
        middle = (low + high) // 2
        if holds(requests, middle, percentile=percentile, confidence=confidence):
            low = middle
        else:
            high = middle
    return low


@dataclass(frozen=True)
class Plan:
    """What is fixed before the first request: ``runs`` independent runs of ``requests`` each.

    Raises:
        UsageError: too few runs or requests to show the percentile at all.
    """

    runs: int
    requests: int
    percentile: float = 0.99
    confidence: float = 0.99

    def __post_init__(self) -> None:
        least = required_requests(0, percentile=self.percentile, confidence=self.confidence)
        if self.runs < 1 or self.requests < least:
            raise UsageError(
                f"{plural(self.runs, 'run')} of {plural(self.requests, 'request')} cannot show "
                f"p{self.percentile * 100:g} at {share(self.confidence)}, even without a miss. "
                f"At least 1 run of {least:,} is needed."
            )


def plan_for(utilisation: float) -> Plan:
    """Return the plan for a p99 that passes a service exactly at its limit in at most 2 of 100 trials.

    Args:
        utilisation: share of its capacity at which the service runs under the limit's rate.

    Raises:
        UsageError: a utilisation outside 0 to 0.8; beyond that no practicable number of runs is enough.

    Example:
        >>> plan_for(0.5)
        Plan(runs=3, requests=10000, percentile=0.99, confidence=0.99)
    """
    for most, runs, requests in PLANS:
        if 0 <= utilisation <= most:
            return Plan(runs, requests)
    raise UsageError(
        f"There is no plan for a utilisation of {utilisation:g}. Allowed: 0 to {PLANS[-1][0]:g}. "
        "Choose a rate that is half the capacity or less, and set utilisation to 0.5."
    )


@dataclass(frozen=True)
class RuleResult:
    """What the runs of a plan show together.

    Attributes:
        decision: ``held`` where every run holds by the rule, ``violated`` where in some run more than the allowed
            share missed the limit, ``inconclusive`` otherwise.
        misses: of each run, shape (runs,).
        requests: of each run, shape (runs,).
        needed: requests per run that would have been enough for the misses of the worst run.
        correlation: the highest lag-1 autocorrelation of the misses.
        independent: whether that is within what independent requests give. Where it is not, the confidence of a
            single run is overstated, and only the number of runs protects.
    """

    decision: Decision
    misses: tuple[int, ...]
    requests: tuple[int, ...]
    needed: int
    correlation: float
    independent: bool


def evaluate(runs: Sequence[ArrayLike], plan: Plan) -> RuleResult:
    """Evaluate the misses of each run by the plan.

    More or fewer runs than planned, or fewer requests in one of them, are inconclusive.

    Args:
        runs: for each run, whether each request missed the limit, booleans of shape (requests,) in the order of the
            schedule.
        plan: what was fixed before the first request.

    Example:
        >>> evaluate([np.zeros(2_010, dtype=bool)], Plan(runs=1, requests=2_010)).decision
        'held'
    """
    columns = [np.asarray(run, dtype=bool) for run in runs]
    misses, requests = tuple(int(each.sum()) for each in columns), tuple(len(each) for each in columns)
    rule = {"percentile": plan.percentile, "confidence": plan.confidence}
    complete = len(columns) == plan.runs and min(requests, default=0) >= plan.requests
    correlations = [autocorrelation(each) for each in columns]
    decision: Decision = "inconclusive"
    if any(t > n * (1 - plan.percentile) and n >= plan.requests for t, n in zip(misses, requests, strict=True)):
        decision = "violated"
    elif complete and all(holds(n, t, **rule) for t, n in zip(misses, requests, strict=True)):
        decision = "held"
    return RuleResult(
        decision,
        misses,
        requests,
        needed=max(plan.requests, required_requests(max(misses, default=0), **rule)),
        correlation=max(correlations, default=0.0),
        independent=all(value <= 1.96 / math.sqrt(max(n, 1)) for value, n in zip(correlations, requests, strict=True)),
    )
