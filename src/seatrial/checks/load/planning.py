"""What the load check plans before its first request, and what each percentile would take at least."""

from __future__ import annotations

import math

from seatrial.checks.load.runs import shape
from seatrial.formatting import plural, seconds
from seatrial.loadgen.statistics import Plan, fewest_requests, required_requests
from seatrial.policy.load import Load, Slo

WARMUP_SHARE = 0.25  # of the first run's requests, sent ahead of it in the same run
MOST_P99 = 10_000  # requests of a run for a p99: three of them tell a queue that is 20 % better from its limit
USED = 0.9  # of the budget; the rest is for starting the service and for its first answers
PROPOSED = (0.999, 0.99, 0.95, 0.9, 0.5)


def warmup_requests(plan: Plan) -> int:
    """Return how many requests the service may take to warm up."""
    return round(WARMUP_SHARE * plan.requests)


def plan_of(slo: Slo, load: Load, budget_seconds: float = math.inf) -> Plan:
    """Return the plan that is fixed before the first request.

    Where the size of a run is not declared it is what the budget holds, at most 10,000 for a p99 and, for another
    percentile, as many as give the same misses.

    Raises:
        UsageError: the declared runs or requests, or the budget, cannot show the percentile.

    Example:
        >>> plan_of(Slo(limit_ms=250, rate=10), Load(), 600.0)
        Plan(runs=3, requests=1661, percentile=0.99, confidence=0.99)
    """
    requests = load.requests
    if requests is None:
        rule = {"percentile": slo.percentile, "confidence": slo.confidence}
        most = math.ceil(MOST_P99 * required_requests(0, **rule) / required_requests(0))
        fits = USED * budget_seconds * _average(load, slo.rate) / (load.runs + WARMUP_SHARE)
        requests = int(min(most, max(fits, 1)))
    return Plan(load.runs, shape(load, slo.rate, requests)[1], slo.percentile, slo.confidence)


def duration(slo: Slo, load: Load, plan: Plan) -> float:
    """Return the seconds that all runs of a plan take, with the warm-up."""
    return shape(load, slo.rate, plan.requests)[0].seconds * plan.runs + warmup_requests(plan) / slo.rate


def told(slo: Slo, load: Load, plan: Plan) -> str:
    """Return the plan as a clause that is shown before the first request."""
    return (
        f"at most {plural(plan.runs, 'run')} of {plan.requests:,} requests at {slo.rate:,g} requests/s, "
        f"{seconds(duration(slo, load, plan))}; the first result ends them"
    )


def choices(slo: Slo, load: Load) -> str:
    """Return, as a sentence, how long each percentile takes at least to be shown at the objective's rate."""
    each = [
        f"p{percentile * 100:g} {seconds(_least_seconds(slo, load, percentile))}"
        for percentile in sorted({*PROPOSED, slo.percentile}, reverse=True)
        if percentile <= slo.percentile
    ]
    return (
        f"At {slo.rate:,g} requests/s and {slo.confidence:.0%} confidence, a service without a late answer needs: "
        + (", ".join(each) + ".")
    )


def _least_seconds(slo: Slo, load: Load, percentile: float) -> float:
    requests = fewest_requests(percentile, slo.confidence, load.runs)
    return requests * (1 + WARMUP_SHARE / load.runs) / USED / _average(load, slo.rate)


def _average(load: Load, rate: float) -> float:
    """Return the average rate of a run whose highest is ``rate``."""
    profile, requests = shape(load, rate, 1 if load.profile else 1_000)
    return requests / profile.seconds
