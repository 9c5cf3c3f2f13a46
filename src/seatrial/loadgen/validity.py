"""Whether a run may be judged at all: has the service warmed up, and did the generator do what it was asked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.loadgen.results import LoadRun

MAX_LAG_SECONDS, MAX_LAG_SHARE, MIN_RATE_SHARE = 0.001, 0.05, 0.99
BATCHES, _STEP = 50, 5.2


@dataclass(frozen=True)
class Warmup:
    """``requests`` to leave out at the start, how many times slower they were, and whether the rest is steady."""

    requests: int
    factor: float
    settled: bool


def warmup(latencies: ArrayLike, *, factor: float = 1.1) -> Warmup:
    """Find where the service stopped getting faster, or slower.

    A change point in the logarithms of the medians of 50 batches; batches take the queue's own correlation
    out. A change counts when it stands out of the noise and the level differs by ``factor`` or more. What
    follows a slow start must show no further change, or the run has not settled.
    """
    column = np.asarray(latencies, dtype=float)
    size = len(column) // BATCHES
    if size < 1:
        return Warmup(0, 1.0, settled=False)
    medians = np.median(column[: size * BATCHES].reshape(BATCHES, size), axis=1)
    levels = np.log(np.clip(medians, 1e-9, 1e9))
    at, change = _change(levels)
    if at == 0 or 1 / factor < change < factor:
        return Warmup(0, 1.0, settled=True)
    if change <= 1 / factor or at > BATCHES // 2:
        return Warmup(0, change, settled=False)  # it grows slower, or half the run is warm-up
    further, again = _change(levels[at:])
    return Warmup(at * size, change, settled=further == 0 or 1 / factor < again < factor)


def _change(levels: NDArray[np.float64]) -> tuple[int, float]:
    """Return the index after the strongest step and its factor, before over after; (0, 1) without a step.

    The step in the mean that is largest in units of its standard error (Hawkins, JASA 72, 1977). The noise
    is taken from successive differences, which a step does not inflate. The limit of 5.2 is exceeded by 1 in
    1 000 of 20 000 simulated series of 50 independent normal values.
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


def void(run: LoadRun, limit_seconds: float) -> tuple[str, ...]:
    """Return why the generator's own work makes this run worthless; empty when it may be judged.

    Too late: the 99th percentile of its lag is over 1 ms or over 5 % of the limit. Too slow: it reached less
    than 99 % of the asked rate. Too narrow: within one limit more requests fall due than it has connections,
    so that a service within its limit would still have made them wait.
    """
    if not len(run):
        return ("nothing was sent",)
    reasons = []
    lag, most = float(np.quantile(run.lags, 0.99, method="higher")), min(MAX_LAG_SECONDS, MAX_LAG_SHARE * limit_seconds)
    if not lag <= most:
        reasons.append(f"the generator was late: p99 of its lag is {lag * 1e3:.2f} ms, allowed {most * 1e3:.2f} ms")
    sent = run.sent[~np.isnan(run.sent)]
    share = len(sent) / len(run) * min(1.0, run.scheduled[-1] / sent.max() if len(sent) and sent.max() > 0 else 0.0)
    if share < MIN_RATE_SHARE:
        reasons.append(f"the generator reached {share:.1%} of the asked rate, needed {MIN_RATE_SHARE:.0%}")
    due = np.searchsorted(run.scheduled, run.scheduled + limit_seconds) - np.arange(len(run))
    if run.waited and int(due.max()) > run.connections:
        reasons.append(
            f"{run.waited} requests found all {run.connections} connections busy, and up to {int(due.max())} fall "
            f"due within one limit of {limit_seconds:g} s: give it that many connections"
        )
    return tuple(reasons)
