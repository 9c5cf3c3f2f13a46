"""The gain of a candidate over the champion on the same rows, with its uncertainty."""

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
class MetricGain:
    """A metric of both versions on the same rows; the gain is positive where the candidate is better.

    Attributes:
        metric: the metric.
        value: of the candidate.
        champion: of the champion.
        gains: the gain on each resample.
        rows: the number of rows.
    """

    metric: Metric
    value: float
    champion: float
    gains: Array
    rows: int

    @property
    def gain(self) -> float:
        """By how much the candidate is better."""
        return self.metric.sign * (self.value - self.champion) + 0.0  # no negative zero

    @property
    def standard_error(self) -> float:
        """The standard error of the gain."""
        return float(np.nanstd(self.gains))

    @property
    def p_value(self) -> float:
        """The one-sided p-value of a candidate that is not worse, by the normal approximation."""
        if not self.standard_error:
            return 0.0 if self.gain < 0 else 1.0
        return NormalDist().cdf(self.gain / self.standard_error)

    def margin(self, quality: Quality) -> float:
        """Return how much worse still counts as not worse, in the unit of the metric."""
        return quality.margin * (1.0 if self.metric.better == "higher" else abs(self.champion))

    def bounds(self, confidence: float) -> tuple[float, float]:
        """Return the lower and the upper one-sided bound of the gain."""
        low, high = np.nanquantile(self.gains, [1 - confidence, confidence]).tolist()
        return low, high

    def rows_needed(self, quality: Quality) -> int | None:
        """Return how many rows would decide if the gain stays; None where no number would.

        The standard error falls with the square root of the rows.
        """
        margin = self.margin(quality)
        distance = self.gain + margin if self.gain > -margin else self.gain
        if not distance:
            return None
        rows = self.rows * (NormalDist().inv_cdf(quality.confidence) * self.standard_error / distance) ** 2
        return math.ceil(rows / 100) * 100 if rows < 1e9 else None


def gain_of(data: LabelledSample, m: Metric, candidate: Array, champion: Array | None) -> MetricGain:
    """Return the gain on the sample, from the metric of both versions on the same resamples."""
    value, of_champion = data.values(m)
    assert of_champion is not None
    assert champion is not None
    return MetricGain(m, value, of_champion, m.sign * (candidate - champion) + 0.0, len(data))


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
