"""Decide what finished load runs show of the objective: met, missed, not shown, or invalid."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seatrial.checks.load.limits import ADVICE as RATE_ADVICE
from seatrial.checks.load.limits import OUTCOME, rate_limit
from seatrial.checks.load.streams import judged_seconds, late_tokens, token_limits
from seatrial.events import Evaluated, Event, Finding, Measurement, NotEvaluated
from seatrial.formatting import part_of, plural, seconds, share
from seatrial.loadgen import statistics
from seatrial.loadgen.estimates import bounds, quantile
from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.statistics import Plan, RuleResult
from seatrial.loadgen.validity import SETTLED_SHARE, Warmup, invalid_reasons, most_lag_seconds, warmup
from seatrial.pipeline import SERVICE
from seatrial.policy.load import Slo

_GOOD = frozenset(f"status {n}" for n in range(200, 300))
LOWER = (0.999, 0.995, 0.99, 0.98, 0.95, 0.9, 0.75, 0.5)  # percentiles that are proposed
ADVICE = "Give the generator a core of its own: use a larger machine, or set reserve_cores = true in [load]."


@dataclass(frozen=True)
class FinishedRuns:
    """The runs of a plan in the order they ran; the first is longer by the requests of the warm-up.

    Attributes:
        slo: the objective.
        plan: what was fixed before the first request.
        runs: the finished runs.
        lead: a run of its own for the warm-up, at a constant rate. It is needed where the rate follows a profile: the
            latency then follows the profile too, and shows no warm-up.
    """

    slo: Slo
    plan: Plan
    runs: Sequence[LoadRun]
    lead: LoadRun | None = None

    @cached_property
    def warmup(self) -> Warmup:
        """The service's warm-up, found in the first run or in ``lead``; what is small beside the limit is none."""
        return warmup((self.lead or self.runs[0]).latencies, least_seconds=SETTLED_SHARE * self.slo.limit_seconds)

    def latencies(self) -> list[np.ndarray]:
        """Return the latencies of each run in seconds, without the warm-up."""
        return self._counted(lambda run: run.latencies)

    def judged(self) -> list[np.ndarray]:
        """Return the seconds of each run that the limit is for, without the warm-up; see :func:`judged_seconds`."""
        return self._counted(lambda run: judged_seconds(run, self.slo))

    def late(self) -> list[np.ndarray]:
        """Return the latencies of each run without the warm-up, 0 where a request failed at whatever speed."""
        return self._counted(lambda run: np.where(run.failed, 0.0, judged_seconds(run, self.slo)))

    @cached_property
    def result(self) -> RuleResult:
        """What the runs show together."""
        return statistics.evaluate(self.judged(), self.slo.limit_seconds, self.plan)

    @cached_property
    def invalid(self) -> tuple[str, ...]:
        """A sentence for each reason that makes a run invalid."""
        limits = (self.slo.limit_seconds, self.slo.first_seconds)
        named = [(f"Run {n + 1}", run) for n, run in enumerate(self.runs)]
        named += [("The warm-up", self.lead)] if self.lead is not None else []
        return tuple(
            f"{label} is invalid: {reason}." for label, run in named for reason in invalid_reasons(run, *limits)
        )

    @cached_property
    def failing(self) -> bool:
        """Whether requests that were sent in time, and failed at whatever speed, are too many by themselves."""
        most = most_lag_seconds(self.slo.limit_seconds, self.slo.first_seconds)
        failed = self._counted(lambda run: np.where(run.failed & (run.lags <= most), math.inf, 0.0))
        return statistics.evaluate(failed, self.slo.limit_seconds, self.plan).decision == "violated"

    @property
    def void(self) -> bool:
        """Whether the generator may be to blame for what is over the limit: it was late, and not for failed answers."""
        some = any(self.result.misses) or not all(self.result.requests)
        return self.result.decision != "held" and bool(self.invalid) and some and not self.failing

    @property
    def decided(self) -> bool:
        """Whether no further run can change the result: it is held, or violated by runs that are valid."""
        decision = self.result.decision
        return decision == "held" or (decision == "violated" and not self.void)

    def _counted(self, column: Callable[[LoadRun], np.ndarray]) -> list[np.ndarray]:
        skipped = self.warmup.requests if self.lead is None else 0
        return [column(run)[skipped if n == 0 else 0 :] for n, run in enumerate(self.runs)]


def measurements(name: str, finished: FinishedRuns) -> Iterator[Event]:
    """Yield the percentiles with their bounds, the error share, the goodput, and the generator's own lag."""
    latencies = np.concatenate(finished.latencies())
    if not len(latencies):
        return
    for percentile in sorted({0.5, 0.9, 0.99, finished.slo.percentile}):
        low, high = bounds(latencies, percentile, confidence=finished.slo.confidence)
        label = percentile_name(percentile)
        values = {label: quantile(latencies, percentile), f"{label} lower bound": low, f"{label} upper bound": high}
        for each, value in values.items():
            if math.isfinite(value):
                yield Measurement(name, SERVICE, each, value, "s")
    scheduled = sum(float(run.scheduled[-1]) for run in finished.runs if len(run))
    within = sum(int((judged_seconds(run, finished.slo) <= finished.slo.limit_seconds).sum()) for run in finished.runs)
    lags = np.concatenate([run.lags for run in finished.runs])
    yield Measurement(name, SERVICE, "error share", float(np.isinf(latencies).mean()))
    yield Measurement(name, SERVICE, "goodput", within / scheduled if scheduled else 0.0, "requests/s")
    yield Measurement(name, SERVICE, "requests worth one independent", finished.result.found.effect, "requests")
    yield Measurement(name, SERVICE, "warm-up", finished.warmup.requests, "requests")
    if math.isfinite(late := quantile(lags, 0.99)):
        yield Measurement(name, SERVICE, "generator lag p99", late, "s")
    if apart := max(run.apart_seconds for run in finished.runs):
        yield Measurement(name, SERVICE, "workers started apart by at most", apart, "s")


def evaluate(name: str, finished: FinishedRuns) -> Iterator[Event]:
    """Yield the result, or why there is none.

    A generator that was late makes latencies longer, never shorter. So it can make a failure invalid, and a result that
    is inconclusive where requests were over the limit; never one that holds, nor one that only lacks requests, nor one
    that is violated by answers without success to requests that were sent in time.
    """
    slo, result, invalid = finished.slo, finished.result, finished.invalid
    peak = "a profile up to " if finished.lead is not None else ""
    objective = (
        f"{percentile_name(slo.percentile)} within {seconds(slo.limit_seconds)}{token_limits(slo)} at {peak}"
        f"{slo.rate:,g} requests/s"
    )
    total = sum(result.requests)
    if finished.void:
        advice = f" {ADVICE}" if any("the generator" in reason for reason in invalid) else ""
        yield NotEvaluated(name, SERVICE, f"The objective ({objective}) was not evaluated. {' '.join(invalid)}{advice}")
        return
    limited = rate_limit(finished.runs)
    if limited is not None and result.decision != "violated":
        yield limited.remark(name)
    if result.decision == "violated":
        yield _missed(name, finished, result, objective)
        yield Evaluated(name, SERVICE, compared=total)
    elif not finished.warmup.stable:
        yield NotEvaluated(
            name, SERVICE,
            f"The objective ({objective}) was not evaluated: the latency had not settled within the first run. Raise "
            "requests in [load] of service.toml.",
        )  # fmt: skip
    elif result.decision == "held":
        yield Evaluated(name, SERVICE, compared=total)
    else:
        yield NotEvaluated(name, SERVICE, _not_shown(finished, result, objective))


def percentile_name(percentile: float) -> str:
    """Return the name of a percentile, such as ``p99`` for 0.99."""
    return f"p{percentile * 100:g}"


def _missed(name: str, finished: FinishedRuns, result: RuleResult, objective: str) -> Finding:
    percentile = finished.slo.percentile
    worst = max((quantile(part, percentile) for part in finished.latencies()), default=math.inf)
    latency = (
        f"its {percentile_name(percentile)} was {seconds(worst)}"
        if math.isfinite(worst)
        else (f"its {percentile_name(percentile)} does not exist, because too many requests got no answer")
    )
    outcomes = _outcomes(finished.runs)
    failures = {name: n for name, n in outcomes.items() if name not in (*_GOOD, "timed out", "never sent")}
    total = sum(len(run) for run in finished.runs)
    limited = rate_limit(finished.runs)
    each = [limited.clause] if limited is not None else []
    each += [f"{part_of(n, total, 'requests')} ended with '{name}'" for name, n in failures.items() if name != OUTCOME]
    each += late_tokens(finished.runs, finished.slo)
    told = f" Over all runs, {'; '.join(each)}." if each else ""
    slow = (
        not failures
        or statistics.evaluate(finished.late(), finished.slo.limit_seconds, finished.plan).decision == "violated"
    )
    most = max(failures, key=lambda name: failures[name], default="")
    advice = "Profile one request. Then look for a pool, a lock or a number of workers that is too small."
    if not slow:
        advice = "Read the service's log for these requests. The answers that it gave came within the limit."
    cause = "slow" if slow else most.replace(" ", "-") if most.startswith("status ") else "no-answer"
    why = ""
    if most == OUTCOME and not slow:
        cause, advice, why = "rate-limit", RATE_ADVICE, ", because it limits the rate of requests"
    return Finding(
        name, SERVICE,
        f"The service does not meet {objective}{why}: in {plural(len(result.requests), 'run')}, "
        f"{part_of(sum(result.misses), sum(result.requests), 'requests')} missed the limit, and at least "
        f"{share(result.low)} do in the long run; {share(1 - percentile)} may. In its worst run {latency}.{told}",
        cause=cause,
        advice=advice,
        evidence={
            "rows": sum(result.requests), "missed": sum(result.misses), **outcomes,
            **(limited.evidence if limited is not None else {}),
        },
    )  # fmt: skip


def _not_shown(finished: FinishedRuns, result: RuleResult, objective: str) -> str:
    plan, rate = finished.plan, finished.slo.rate
    missed = ", ".join(f"{m:,} of {n:,}" for m, n in zip(result.misses, result.requests, strict=True)) or "none ran"
    cut = len(result.requests) < plan.runs or min(result.requests, default=0) < plan.requests
    planned = f" {plural(plan.runs, 'run')} of {plan.requests:,} requests were planned." if cut else ""
    shown = 1 - result.high
    told = f" Shown: {share(shown)} of the requests are within the limit." if shown > 0 else ""
    if result.needed is None:
        enough = f" The service is at its limit: {statistics.MOST:,} requests would not tell on which side."
    else:
        enough = (
            f" At this share, about {result.needed:,} requests would tell, which take "
            f"{seconds(result.needed / rate)} at {rate:,g} requests/s: set requests = "
            f"{math.ceil(result.needed / plan.runs)} and a longer budget_seconds in [load] of service.toml"
        )
        lower = next((p for p in LOWER if p < plan.percentile and p <= shown), None)
        enough += f", or state what was shown: percentile = {lower:g} in [slo]." if lower else "."
    return (
        f"The objective ({objective}) was neither shown nor refuted at {share(plan.confidence)} confidence. Requests "
        f"over the limit, by run: {missed}; {share(result.low)} to {share(result.high)} are in the long run, "
        f"{share(1 - plan.percentile)} may be.{planned}{told}{enough}"
    )


def _outcomes(runs: Sequence[LoadRun]) -> dict[str, int]:
    """Return how many requests of all runs had each outcome."""
    total: dict[str, int] = {}
    for run in runs:
        for outcome, count in run.counts().items():
            total[outcome] = total.get(outcome, 0) + count
    return total
