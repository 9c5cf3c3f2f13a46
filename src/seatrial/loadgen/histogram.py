"""Latency histograms that add up over workers and runs: HdrHistogram, in microseconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from hdrh.histogram import HdrHistogram

LOWEST, HIGHEST, DIGITS = 1, 3_600_000_000, 3  # 1 µs to 1 h at three significant digits


def histogram(latencies_seconds: ArrayLike) -> HdrHistogram:
    """Return the histogram of latencies in seconds, shape (requests,).

    A request without a good response (infinite) is counted at the highest value, 1 h.

    Raises:
        ValueError: a latency that is not a number.

    Example:
        >>> histogram([0.010, 0.020, float("inf")]).get_total_count()
        3
    """
    from hdrh.histogram import HdrHistogram

    counted = HdrHistogram(LOWEST, HIGHEST, DIGITS)
    seconds = np.asarray(latencies_seconds, dtype=float)
    if np.isnan(seconds).any():
        raise ValueError("A latency is not a number, so it cannot be counted.")
    micros = np.clip(np.nan_to_num(np.rint(seconds * 1e6), posinf=HIGHEST), LOWEST, HIGHEST).astype(np.int64)
    for value, count in zip(*np.unique(micros, return_counts=True), strict=True):
        counted.record_value(int(value), int(count))
    return counted


def merge(histograms: Iterable[HdrHistogram | bytes]) -> HdrHistogram:
    """Return the sum of histograms; each is an HdrHistogram or its ``encode()``."""
    from hdrh.histogram import HdrHistogram

    total = HdrHistogram(LOWEST, HIGHEST, DIGITS)
    for part in histograms:
        total.add(HdrHistogram.decode(part) if isinstance(part, bytes) else part)
    return total
