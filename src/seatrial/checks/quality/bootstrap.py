"""The gain of a version over another model on the same rows, with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from seatrial.checks.quality.samples import LabelledSample, Who
from seatrial.metrics import Array, Metric


@dataclass(frozen=True)
class MetricGain:
    """A metric of two models on the same rows; the gain is positive where the version is better.

    Attributes:
        metric: the metric.
        value: of the version.
        other: of the other model.
        gains: the gain on each resample.
        rows: the number of rows.
    """

    metric: Metric
    value: float
    other: float
    gains: Array
    rows: int

    @property
    def gain(self) -> float:
        """By how much the version is better."""
        return self.metric.sign * (self.value - self.other) + 0.0  # no negative zero

    @property
    def standard_error(self) -> float:
        """The standard error of the gain."""
        return float(np.nanstd(self.gains))

    @property
    def p_value(self) -> float:
        """The one-sided p-value of a version that is not worse, by the normal approximation."""
        if not self.standard_error:
            return 0.0 if self.gain < 0 else 1.0
        return NormalDist().cdf(self.gain / self.standard_error)

    def margin(self, margin: float) -> float:
        """Return how much worse still counts as not worse, in the unit of the metric."""
        return margin * (1.0 if self.metric.better == "higher" else abs(self.other))

    def bounds(self, confidence: float) -> tuple[float, float]:
        """Return the lower and the upper one-sided bound of the gain."""
        return bounds(self.gains, confidence)

    def rows_needed(self, margin: float, confidence: float) -> int | None:
        """Return how many rows would decide if the gain stays; None where no number would.

        The standard error falls with the square root of the rows.
        """
        distance = self.gain + margin if self.gain > -margin else self.gain
        return enough_rows(self.rows, self.standard_error, distance, confidence)


def bounds(values: Array, confidence: float) -> tuple[float, float]:
    """Return the lower and the upper one-sided bound of resampled values; NaN where none is defined."""
    if np.isnan(values).all():
        return math.nan, math.nan
    low, high = np.nanquantile(values, [1 - confidence, confidence]).tolist()
    return low, high


def enough_rows(rows: int, standard_error: float, distance: float, confidence: float) -> int | None:
    """Return how many rows would tell a distance from 0; None where no number would."""
    if not distance or not math.isfinite(distance):
        return None
    needed = rows * (NormalDist().inv_cdf(confidence) * standard_error / distance) ** 2
    return math.ceil(needed / 100) * 100 if needed < 1e9 else None


def gain_of(data: LabelledSample, m: Metric, drawn: Mapping[Who, Array], who: Who) -> MetricGain:
    """Return the gain on the sample, from the metric of both models on the same resamples."""
    gains: Any = m.sign * (drawn["version"] - drawn[who]) + 0.0
    return MetricGain(m, data.value(m), data.value(m, who), gains, len(data))


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
