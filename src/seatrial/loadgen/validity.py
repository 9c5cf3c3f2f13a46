"""Whether a run can be evaluated: the service has warmed up, and the generator kept to its schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.formatting import share as percent
from seatrial.loadgen.results import LoadRun

MAX_LAG_SHARE, MIN_RATE_SHARE = 0.05, 0.99
SETTLED_SHARE = 0.05  # of the limit, by which the level of the latency may change
BATCHES, _STEP = 50, 5.2


@dataclass(frozen=True)
class Warmup:
    """The warm-up of a service.

    Attributes:
        requests: how many to leave out at the start.
        factor: how many times slower those were.
        stable: whether the latency of the rest does not change any more.
    """

    requests: int
    factor: float
    stable: bool


def warmup(latencies: ArrayLike, *, factor: float = 1.1, least_seconds: float = 0.0) -> Warmup:
    """Find where the latency of a service stopped changing.

    It is a change point in the logarithms of the medians of 50 batches; batches take the queue's own correlation
    out. A change counts where it exceeds the noise, and the level differs by ``factor`` and by ``least_seconds`` or
    more. What follows a slow start must show no further change, or the run is not stable. A run of fewer than 50
    requests is not either.

    Args:
        latencies: in seconds, in the order of the schedule, shape (requests,); infinite where there is no response.
        factor: the smallest change of the level that counts.
        least_seconds: the same as a difference, such as a small part of the limit.

    Example:
        >>> found = warmup([0.3] * 2_000 + [0.1] * 8_000)
        >>> found.requests, round(found.factor), found.stable
        (2000, 3, True)
    """
    column = np.asarray(latencies, dtype=float)
    size = len(column) // BATCHES
    if size < 1:
        return Warmup(0, 1.0, stable=False)
    medians = np.median(column[: size * BATCHES].reshape(BATCHES, size), axis=1)
    levels = np.log(np.clip(medians, 1e-9, 1e9))

    def counts(at: int, change: float, of: NDArray[np.float64]) -> bool:
        """Whether the level before ``at`` is another one than the level from there on."""
        if at == 0 or 1 / factor < change < factor:
            return False
        return abs(math.exp(float(of[:at].mean())) - math.exp(float(of[at:].mean()))) >= least_seconds

    at, change = _change(levels)
    if not counts(at, change, levels):
        return Warmup(0, 1.0, stable=True)
    if change <= 1 / factor or at > BATCHES // 2:
        return Warmup(0, change, stable=False)  # it becomes slower, or more than half the run is warm-up
    further, again = _change(levels[at:])
    return Warmup(at * size, change, stable=not counts(further, again, levels[at:]))


def _change(levels: NDArray[np.float64]) -> tuple[int, float]:
    """Return the index after the strongest step and its factor, before over after; (0, 1) without a step.

    The step in the mean that is largest in units of its standard error (Hawkins, JASA 72, 1977). The noise
    is taken from successive differences, which a step does not inflate. The limit of 5.2 is exceeded by 1 in
    1,000 of 20,000 simulated series of 50 independent normal values.
    """
    count, total = len(levels), float(levels.sum())
    noise = 1.4826 * float(np.median(np.abs(np.diff(levels)))) / math.sqrt(2)
    cuts = np.arange(1, count)
    sums = np.cumsum(levels)[:-1]
    steps = sums / cuts - (total - sums) / (count - cuts)
    strength = np.abs(steps) * np.sqrt(cuts * (count - cuts) / count)
    cut = int(strength.argmax())
    if strength[cut] <= _STEP * noise or strength[cut] < 1e-12:
        return 0, 1.0
    return int(cuts[cut]), math.exp(float(steps[cut]))


def most_lag_seconds(limit_seconds: float, first_seconds: float | None = None) -> float:
    """Return by how much the generator may be late: a share of the limit, or of that of the first token.

    Example:
        >>> most_lag_seconds(0.25)
        0.0125
    """
    return MAX_LAG_SHARE * min(limit_seconds, first_seconds or limit_seconds)


def invalid_reasons(run: LoadRun, limit_seconds: float, first_seconds: float | None = None) -> tuple[str, ...]:
    """Return why the generator makes this run invalid, as clauses; empty where the run can be evaluated.

    It was late: the 99th percentile of its lag is above 5 % of the limit, so that a service 10 % better than its limit
    is never blamed for it. It was slow: it reached less than 99 % of the scheduled rate. It was too narrow: within one
    limit more requests fall due than it has connections, so that they wait even where the service holds its limit.

    Args:
        run: the finished run.
        limit_seconds: of a whole answer.
        first_seconds: of the first token, where that has a limit of its own.

    Example:
        >>> invalid_reasons(run, limit_seconds=0.1)
        ('the generator was late: p99 of its lag is 8.20 ms, allowed 5.00 ms',)
    """
    if not len(run):
        return ("nothing was sent",)
    reasons = []
    lag = float(np.quantile(run.lags, 0.99, method="higher"))
    most = most_lag_seconds(limit_seconds, first_seconds)
    if not lag <= most:
        reasons.append(f"the generator was late: p99 of its lag is {lag * 1e3:.2f} ms, allowed {most * 1e3:.2f} ms")
    sent = run.sent[~np.isnan(run.sent)]
    share = len(sent) / len(run) * min(1.0, run.scheduled[-1] / sent.max() if len(sent) and sent.max() > 0 else 0.0)
    if share < MIN_RATE_SHARE:
        reasons.append(
            f"the generator reached {percent(share)} of the scheduled rate, needed {percent(MIN_RATE_SHARE)}"
        )
    due = np.searchsorted(run.scheduled, run.scheduled + limit_seconds) - np.arange(len(run))
    if run.waited and int(due.max()) > run.connections:
        reasons.append(
            f"{run.waited:,} requests found all {run.connections:,} connections busy, and up to {int(due.max()):,} "
            f"fall due within one limit of {limit_seconds:g} s: set [load] connections to that"
        )
    return tuple(reasons)
