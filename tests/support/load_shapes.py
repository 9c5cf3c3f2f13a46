"""Loads and readings that tests need and the library does not: ramps, bursts, recorded arrivals, percentiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import ArrayLike

from seatrial.errors import UsageError
from seatrial.loadgen.histogram import HIGHEST
from seatrial.loadgen.schedule import Profile, Schedule


def ramp(start: float, end: float, seconds: float) -> Profile:
    """Return a rate that goes from ``start`` to ``end`` in a straight line."""
    return Profile(((0.0, start), (seconds, end)))


def burst(base: float, peak: float, *, every: float, lasting: float, seconds: float) -> Profile:
    """Return ``base``, with ``peak`` for the last ``lasting`` seconds of ``every`` period."""
    if not 0 < lasting < every:
        raise UsageError(f"A burst of {lasting} s does not fit into a period of {every} s.")
    corners = [(0.0, base)]
    begin = every - lasting
    while begin < seconds:
        end = min(begin + lasting, seconds)
        corners += [(begin, base), (begin, peak), (end, peak), (end, base)]
        begin += every
    return Profile((*corners, (seconds, base)))


def recorded(at: ArrayLike | Sequence[float], *, speed: float = 1.0) -> Schedule:
    """Return arrivals as they were seen in production, from the first one on, ``speed`` times as fast."""
    seen = np.sort(np.asarray(at, dtype=float))
    if seen.ndim != 1 or len(seen) < 2 or not np.isfinite(seen).all() or not speed > 0:
        raise UsageError("A recorded schedule needs two or more finite times in seconds, and a speed above 0.")
    seen = (seen - seen[0]) / speed
    if not seen[-1] > 0:
        raise UsageError("All recorded requests carry the same time.")
    return Schedule(seen, float(seen[-1]))


def percentile_seconds(counted: HdrHistogram, percentile: float) -> float:
    """Return the latency in seconds at a share such as 0.999; infinite where requests had no answer."""
    micros = counted.get_value_at_percentile(percentile * 100)
    return float("inf") if micros >= HIGHEST else micros / 1e6


def passes_or_lacks_a_core(verdict) -> bool:
    """Whether load has found nothing: it passes, or a busy machine left it undecided."""
    lacking = ("settled", "generator", "refuted")
    return not verdict.findings and all(any(word in e.reason for word in lacking) for e in verdict.not_evaluated)
