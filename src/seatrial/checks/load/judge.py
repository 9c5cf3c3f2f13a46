"""What finished load runs show of the objective: void, held, broken, or not shown."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from seatrial.checks.load.runs import shape
from seatrial.events import Attachment, Evaluated, Event, Finding, Measurement, NotEvaluated
from seatrial.loadgen.estimates import bounds, quantile
from seatrial.loadgen.histogram import histogram, merge
from seatrial.loadgen.results import OUTCOMES, LoadRun
from seatrial.loadgen.statistics import Plan, evaluate, plan_for, required_requests
from seatrial.loadgen.validity import Warmup, invalid_reasons, warmup
from seatrial.pipeline import SERVICE
from seatrial.policy.service import Load, Slo

WARMUP_SHARE = 0.25  # of the first run's requests, sent ahead of it in the same run: room for a warm-up
ADVICE = "Give the generator a core of its own: a larger machine, or own_core = true under [load] of service.toml."


@dataclass(frozen=True)
class Runs:
    """The runs of a plan in the order they ran; the first is longer by the room for a warm-up.

    Where the rate follows a profile the latency follows it too, and says nothing of a warm-up: ``lead`` is then a run
    of its own, ahead of them at one rate.
    """

    slo: Slo
    plan: Plan
    offered: Sequence[LoadRun]
    lead: LoadRun | None = None

    @cached_property
    def warmup(self) -> Warmup:
        """What the start of the load says about the service's warm-up."""
        return warmup((self.lead or self.offered[0]).latencies)

    def latencies(self) -> list[np.ndarray]:
        """Seconds of each run, the warm-up left out."""
        skipped = self.warmup.requests if self.lead is None else 0
        return [run.latencies[skipped if n == 0 else 0 :] for n, run in enumerate(self.offered)]


def room(plan: Plan) -> int:
    """Return the requests that a service may take to warm up."""
    return round(WARMUP_SHARE * plan.requests)


def plan_of(slo: Slo, load: Load) -> Plan:
    """Return what is fixed beforehand; for another percentile than p99 as many requests as give the same misses.

    Raises:
        UsageError: runs or requests that cannot show the percentile.
    """
    usual = plan_for(load.utilisation)
    rule = {"percentile": slo.percentile, "confidence": slo.confidence}
    scale = required_requests(0, **rule) / required_requests(0)
    requests = load.requests or math.ceil(usual.requests * scale)
    return Plan(load.runs or usual.runs, shape(load, slo.rate, requests)[1], **rule)


def figures(name: str, runs: Runs) -> Iterator[Event]:
    """Yield the percentiles with their bounds, error share, goodput, and the generator's own lag."""
    parts = runs.latencies()
    latencies = np.concatenate(parts)
    if not len(latencies):
        return
    for percentile in sorted({0.5, 0.9, 0.99, runs.slo.percentile}):
        low, high = bounds(latencies, percentile, confidence=runs.slo.confidence)
        said = f"p{percentile * 100:g}"
        told = {said: quantile(latencies, percentile), f"{said} lower bound": low, f"{said} upper bound": high}
        for label, value in told.items():
            if math.isfinite(value):
                yield Measurement(name, SERVICE, label, value, "s")
    seconds = sum(float(run.scheduled[-1]) for run in runs.offered if len(run))
    within = sum(int((~run.misses(runs.slo.limit_seconds)).sum()) for run in runs.offered)
    lags = np.concatenate([run.lags for run in runs.offered])
    yield Measurement(name, SERVICE, "error share", float(np.isinf(latencies).mean()))
    yield Measurement(name, SERVICE, "goodput", within / seconds if seconds else 0.0, "requests/s")
    yield Measurement(name, SERVICE, "warm-up", runs.warmup.requests, "requests")
    if math.isfinite(late := quantile(lags, 0.99)):
        yield Measurement(name, SERVICE, "generator lag p99", late, "s")


def conclusion(name: str, runs: Runs) -> Iterator[Event]:
    """Yield the judgement, or why there is none. Whatever the generator got wrong comes first: it voids the rest."""
    slo, plan_ = runs.slo, runs.plan
    peak = "a profile up to " if runs.lead is not None else ""
    limit = f"p{slo.percentile * 100:g} of {slo.limit_ms:g} ms at {peak}{slo.rate:g} requests/s"
    reasons = [
        f"run {n + 1} is void: {reason}"
        for n, run in enumerate(runs.offered)
        for reason in invalid_reasons(run, slo.limit_seconds)
    ]
    if runs.lead is not None:
        reasons += [f"the warm-up is void: {reason}" for reason in invalid_reasons(runs.lead, slo.limit_seconds)]
    if reasons:
        yield NotEvaluated(name, SERVICE, f"{limit}: {'; '.join(reasons)}. {ADVICE}")
        return
    evaluated = evaluate([part > slo.limit_seconds for part in runs.latencies()], plan_)
    total = sum(evaluated.requests)
    if evaluated.decision == "violated":
        share = max(m / n for m, n in zip(evaluated.misses, evaluated.requests, strict=True) if n)
        worst = max((quantile(part, slo.percentile) for part in runs.latencies()), default=math.inf)
        took = f"{worst * 1e3:,.0f} ms" if math.isfinite(worst) else "no answer in time"
        yield Finding(
            name, SERVICE,
            f"The service does not hold {limit}: {share:.2%} of the requests of its worst run missed it, "
            f"p{slo.percentile * 100:g} was {took}.",
            cause="slow",
            advice="Profile one request; then look for a pool, a lock or a count of workers that is too small.",
            evidence={"rows": total, "missed": sum(evaluated.misses), **_ends(runs)},
        )  # fmt: skip
        yield Evaluated(name, SERVICE, compared=total)
    elif not runs.warmup.stable:
        yield NotEvaluated(
            name, SERVICE, f"{limit}: the latency had not settled within the first run. Make runs longer."
        )
    elif evaluated.decision == "held":
        yield Evaluated(name, SERVICE, compared=total)
    else:
        least = min(evaluated.requests, default=0)
        told = ", ".join(f"{m} of {n:,}" for m, n in zip(evaluated.misses, evaluated.requests, strict=True))
        few = (
            f"{len(evaluated.requests)} runs of {least:,} requests or more, planned {plan_.runs} of {plan_.requests:,}"
        )
        yield NotEvaluated(
            name, SERVICE,
            f"{limit} is not shown at {slo.confidence:.0%} confidence: {told} missed it ({few}); "
            f"{evaluated.needed:,} requests a run would bear so many misses.",
        )  # fmt: skip
    if evaluated.decision == "held" and not evaluated.independent:
        yield Measurement(name, SERVICE, "autocorrelation of misses", evaluated.correlation)


def raw(name: str, runs: Runs) -> Attachment:
    """Return every request of every run as Parquet: seconds from the run's start, HTTP status, how it ended."""
    frames = [
        pd.DataFrame(
            {
                "run": np.int16(n + 1),
                "scheduled_seconds": run.scheduled,
                "sent_seconds": run.sent,
                "done_seconds": run.done,
                "status": run.status,
                "outcome": pd.Categorical.from_codes(run.outcome, categories=list(OUTCOMES)),
            }
        )
        for n, run in enumerate(runs.offered)
    ]
    file = io.BytesIO()
    pd.concat(frames, ignore_index=True).to_parquet(file, index=False)
    return Attachment(name, SERVICE, "load/latencies.parquet", file.getvalue())


def summed(name: str, runs: Runs) -> Attachment:
    """Return the latencies of all runs as one encoded HdrHistogram, in microseconds: others can be added to it."""
    total = merge(histogram(run.latencies) for run in runs.offered)
    return Attachment(name, SERVICE, "load/latencies.hdr", total.encode())


def _ends(runs: Runs) -> dict[str, int]:
    ends: dict[str, int] = {}
    for run in runs.offered:
        for how, count in run.counts().items():
            ends[how] = ends.get(how, 0) + count
    return ends
