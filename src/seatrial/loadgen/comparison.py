"""Is the challenger slower than the champion? The run is the unit, never the request.

Requests of one run share its luck: pooled over two runs of the same service, a Mann-Whitney test raises a
false alarm more often than not. So both are run again and again, interleaved, and the pairs are compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seatrial.errors import UsageError

Answer = Literal["regression", "none", "not enough runs"]
MIN_PAIRS = 5


@dataclass(frozen=True)
class Comparison:
    """``ratio``: challenger over champion, geometric mean over the pairs, between ``low`` and ``high``."""

    answer: Answer
    ratio: float
    low: float
    high: float
    pairs: int
    reason: str


def order(pairs: int, seed: int) -> tuple[tuple[Literal["champion", "challenger"], ...], ...]:
    """Return who runs first in each pair: half the pairs each way, in a seeded order, so that drift cancels."""
    first = np.arange(pairs) % 2 == 0
    np.random.default_rng(seed).shuffle(first)
    return tuple(("champion", "challenger") if each else ("challenger", "champion") for each in first)


def compare(
    champion: Sequence[float], challenger: Sequence[float], *, margin: float = 0.05, alpha: float = 0.05
) -> Comparison:
    """Compare one figure a run, such as its p99 in seconds, pair by pair.

    A paired t-test on the logarithms, each side at level ``alpha``. ``none``: the challenger is shown to be
    less than ``margin`` slower (non-inferiority). ``regression``: it is shown to be slower by more than that.
    Otherwise ``not enough runs``. A run without the figure (infinite: too many requests had no good answer)
    counts against the challenger when it is the challenger's in two pairs or more; the champion's own makes
    its pair worthless.

    Raises:
        UsageError: sequences of different length, or figures that are not above 0.
    """
    before, after = np.asarray(champion, dtype=float), np.asarray(challenger, dtype=float)
    if before.shape != after.shape or before.ndim != 1:
        raise UsageError(f"{len(before)} champion runs cannot be paired with {len(after)} of the challenger.")
    if not ((before > 0).all() and (after > 0).all()):
        raise UsageError("Every run needs a figure above 0.")
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
    bounds = f"challenger over champion is between {low:.3f} and {high:.3f}"
    if high < 1 + margin:
        return Comparison("none", _ratio(logs), low, high, count, f"{bounds}, below the margin of {1 + margin:g}")
    if low > 1 + margin:
        return Comparison("regression", _ratio(logs), low, high, count, f"{bounds}, above the margin of {1 + margin:g}")
    reason = f"{bounds}: it cannot be told on which side of the margin of {1 + margin:g} it is"
    return Comparison("not enough runs", _ratio(logs), low, high, count, reason)


def _ratio(logs: np.ndarray) -> float:
    return float(np.exp(logs.mean())) if len(logs) else math.nan


def _interval(logs: np.ndarray, alpha: float) -> tuple[float, float]:
    from scipy.stats import t

    half = float(t.ppf(1 - alpha, len(logs) - 1)) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return math.exp(float(logs.mean()) - half), math.exp(float(logs.mean()) + half)
