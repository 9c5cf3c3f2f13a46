"""Bootstrap weights, in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from seatrial.metrics.base import Array

CELLS_AT_ONCE = 4_000_000  # resamples times units held in memory: 32 MB of float64


def resamples(units: int, count: int, seed: int | Sequence[int], *, width: int = 1) -> Iterator[Array]:
    """Yield bootstrap weights in blocks (b, units), ``count`` resamples in all; the same seed gives the same weights.

    Args:
        units: how many rows or requests are drawn from, and how many are drawn.
        count: the number of resamples.
        seed: of the draws.
        width: the number of values that a metric holds for one resample, where that is more than the units.
    """
    rng = np.random.default_rng(seed)
    step = max(1, CELLS_AT_ONCE // max(units, width, 1))
    for begin in range(0, count, step):
        b = min(step, count - begin)
        drawn = rng.integers(0, units, (b, units)) + units * np.arange(b)[:, None]
        yield np.bincount(drawn.ravel(), minlength=b * units).reshape(b, units).astype(np.float64)
