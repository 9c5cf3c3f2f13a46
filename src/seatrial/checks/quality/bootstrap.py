"""Two versions on the same rows: by how much one is better, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from seatrial.checks.quality.samples import LabelledSample
from seatrial.metrics import Array, Metric
from seatrial.policy.stages import Quality


@dataclass(frozen=True)
class Difference:
    """A metric of both versions on the same rows; ``gain`` is positive where the candidate is better."""

    metric: Metric
    value: float
    promoted: float
    gains: Array  # of the resamples
    rows: int

    @property
    def gain(self) -> float:
        """By how much the candidate is better."""
        return self.metric.sign * (self.value - self.promoted) + 0.0  # no negative zero

    @property
    def spread(self) -> float:
        """The standard error of the gain."""
        return float(np.nanstd(self.gains))

    @property
    def p_value(self) -> float:
        """One-sided, of a candidate that is not worse, by the normal approximation."""
        if not self.spread:
            return 0.0 if self.gain < 0 else 1.0
        return NormalDist().cdf(self.gain / self.spread)

    def margin(self, quality: Quality) -> float:
        """How much worse still counts as not worse, in the metric's unit."""
        return quality.margin * (1.0 if self.metric.better == "higher" else abs(self.promoted))

    def bounds(self, confidence: float) -> tuple[float, float]:
        """Return the lower and the upper one-sided bound of the gain."""
        low, high = np.nanquantile(self.gains, [1 - confidence, confidence]).tolist()
        return low, high

    def rows_wanted(self, quality: Quality) -> int | None:
        """Return how many rows would tell if the gain stays, as the standard error falls with the root of the rows."""
        margin = self.margin(quality)
        distance = self.gain + margin if self.gain > -margin else self.gain
        if not distance:
            return None
        rows = self.rows * (NormalDist().inv_cdf(quality.confidence) * self.spread / distance) ** 2
        return math.ceil(rows / 100) * 100 if rows < 1e9 else None


def difference(data: LabelledSample, m: Metric, mine: Array, theirs: Array | None) -> Difference:
    """Return the difference, from the metric on resamples of both versions."""
    value, promoted = data.values(m)
    assert promoted is not None
    assert theirs is not None
    return Difference(m, value, promoted, m.sign * (mine - theirs) + 0.0, len(data))


def discoveries(p_values: Sequence[float], rate: float) -> list[bool]:
    """Return which p-values are discoveries at a false discovery rate (Benjamini and Hochberg, 1995).

    A p-value that is not a number is none, and counts among the comparisons that were made.

    >>> discoveries([0.001, 0.5, 0.9], rate=0.05)
    [True, False, False]
    """
    from scipy.stats import false_discovery_control

    if not p_values:
        return []
    return [bool(adjusted <= rate) for adjusted in false_discovery_control(np.nan_to_num(p_values, nan=1.0))]
