"""When runs show that a percentile holds, and when they show that it does not.

A run is independent of the others; the requests within one are not: in a queue, one slow answer makes the next one
late. So neither verdict rests on a count of requests. The share of requests over the limit gets a lower and an upper
bound (:meth:`~seatrial.loadgen.estimates.MissShare.bounds`, after Korn and Graubard) in which correlated requests count
for as much as they tell. The percentile is *held* where the upper bound is within what the percentile allows,
*violated* where the lower bound is beyond it, and *inconclusive* between the two.

The plan is sequential: after each run the bounds are taken, and the first result ends the plan. What the looks may err
is fixed beforehand (:attr:`Plan.levels`). How often they do, in simulations whose truth is known
(tests/bench/bench_load_verdict.py), is in docs/explanation/statistics.md.

For independent requests the rule is that of MLPerf LoadGen: with ``t`` requests over the limit and ``h`` under it, the
percentile ``p`` holds with confidence ``c`` when ``I_p(h, t + 1) <= 1 - c``, ``I`` being the regularised incomplete
beta function. :func:`required_requests` counts by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from seatrial.errors import UsageError
from seatrial.formatting import plural, share
from seatrial.loadgen.estimates import BATCHES, MissShare, miss_share, require_shares

Decision = Literal["held", "violated", "inconclusive"]
"""What runs show of a percentile's limit; ``inconclusive`` is never a pass."""

RUNS = 3
# Of the error that the confidence allows, all looks together use this share: with 60 batches of a queue the bounds are
# wrong up to four times as often as stated (p95 at half load). The simulations are within 1 % with it.
_USED = 0.4
_LAST = 0.7  # of that, for the last look
MOST = 1_000_000  # requests; a share so near the allowed one that it needs more is at its limit


def holds(requests: int, misses: int, *, percentile: float = 0.99, confidence: float = 0.99) -> bool:
    """Return whether so many misses among so many independent requests show that the percentile is within its limit.

    Raises:
        UsageError: a percentile or confidence that is not between 0 and 1.

    Example:
        >>> holds(2_010, 10), holds(2_009, 10)
        (True, False)
    """
    from scipy.special import betainc

    require_shares(percentile=percentile, confidence=confidence)
    return bool(requests > misses and betainc(requests - misses, misses + 1, percentile) <= 1 - confidence)


@cache
def required_requests(misses: int, *, percentile: float = 0.99, confidence: float = 0.99) -> int:
    """Return the fewest independent requests, misses included, with which the percentile holds despite the misses.

    Example:
        >>> required_requests(0), required_requests(10)
        (459, 2010)
    """
    return _fewest(lambda n: holds(n, misses, percentile=percentile, confidence=confidence), misses)


@dataclass(frozen=True)
class Plan:
    """What is fixed before the first request: at most ``runs`` independent runs of ``requests`` each.

    Raises:
        UsageError: too few runs or requests to show the percentile at all.
    """

    runs: int
    requests: int
    percentile: float = 0.99
    confidence: float = 0.99

    def __post_init__(self) -> None:
        least = fewest_requests(self.percentile, self.confidence, self.runs)
        if self.runs < 1 or self.runs * self.requests < least:
            raise UsageError(
                f"{plural(self.runs, 'run')} of {plural(self.requests, 'request')} cannot show "
                f"p{self.percentile * 100:g} at {share(self.confidence)}, even without a miss. "
                f"At least {least:,} requests in all runs together are needed."
            )

    @property
    def levels(self) -> tuple[float, ...]:
        """How often each look at the runs may be wrong; most of it is for the last, with all runs."""
        used = _USED * (1 - self.confidence)
        early = self.runs - 1
        return (*([(1 - _LAST) * used / max(early, 1)] * early), _LAST * used)


@cache
def fewest_requests(percentile: float, confidence: float, runs: int = RUNS) -> int:
    """Return the fewest requests of all runs together with which a service without a miss can show a percentile.

    Example:
        >>> fewest_requests(0.99, 0.99), fewest_requests(0.95, 0.99)
        (626, 119)
    """
    require_shares(percentile=percentile, confidence=confidence)
    alpha = _USED * (1 - confidence) * _LAST
    clean = MissShare(0.0, 0, 1.0, BATCHES * max(runs, 1))
    return _fewest(lambda n: clean.bounds(alpha, n)[1] <= 1 - percentile)


@dataclass(frozen=True)
class RuleResult:
    """What the runs of a plan show together.

    Attributes:
        decision: of the first look that gave one; ``inconclusive`` where none did.
        misses: of each run up to that look, shape (runs,).
        requests: of each run up to that look, shape (runs,).
        found: the share of requests over the limit and the correlation of requests, up to that look.
        low: lower bound of that share.
        high: upper bound of that share.
        alpha: how often each bound may be wrong.
        plan: what was fixed before the first request.
    """

    decision: Decision
    misses: tuple[int, ...]
    requests: tuple[int, ...]
    found: MissShare
    low: float
    high: float
    alpha: float
    plan: Plan

    @property
    def needed(self) -> int | None:
        """Requests of all runs together that would tell, if the share over the limit and the correlation stay.

        None where more than 1,000,000 are needed, because the service is at its limit.
        """
        allowed, found = 1 - self.plan.percentile, self.found
        if found.batches < 2:
            found = replace(found, batches=BATCHES * self.plan.runs)

        def tells(requests: int) -> bool:
            low, high = found.bounds(self.plan.levels[-1], requests)
            return low > allowed or high <= allowed

        return _fewest(tells, most=MOST) if tells(MOST) else None


def evaluate(runs: Sequence[ArrayLike], limit: float, plan: Plan) -> RuleResult:
    """Evaluate the latencies of each run by the plan, look after look.

    Where a run has fewer requests than planned, nothing is held. Runs beyond those planned are not looked at.

    Args:
        runs: the latencies of each run in the order of the schedule, shape (requests,); infinite without an answer.
        limit: in the same unit.
        plan: what was fixed before the first request.

    Example:
        >>> evaluate([[0.1] * 3_000], 0.25, Plan(runs=1, requests=3_000)).decision
        'held'
    """
    result = _look(runs[:0], limit, plan, plan.levels[0])
    for seen, alpha in enumerate(plan.levels[: len(runs)], start=1):
        result = _look(runs[:seen], limit, plan, alpha)
        if result.decision != "inconclusive":
            break
    return result


def _look(runs: Sequence[ArrayLike], limit: float, plan: Plan, alpha: float) -> RuleResult:
    allowed = 1 - plan.percentile
    columns = [np.asarray(run, dtype=float) for run in runs]
    requests, misses = tuple(map(len, columns)), tuple(int((each > limit).sum()) for each in columns)
    found = miss_share(columns, limit, allowed)
    low, high = found.bounds(alpha)
    decision: Decision = "inconclusive"
    if low > allowed:
        decision = "violated"
    elif high <= allowed and min(requests, default=0) >= plan.requests:
        decision = "held"
    return RuleResult(decision, misses, requests, found, low, high, alpha, plan)


def _fewest(enough: Callable[[int], bool], low: int = 1, most: float = math.inf) -> int:
    """Return the fewest requests that are enough, above ``low``."""
    high = low + 1
    while not enough(high):
        low, high = high, int(min(2 * high, most))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
