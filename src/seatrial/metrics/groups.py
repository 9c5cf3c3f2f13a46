"""Metrics of how differently a model treats declared groups of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from seatrial.errors import PolicyError, unknown
from seatrial.metrics import decisions
from seatrial.metrics.base import Array, Metric, ratio
from seatrial.metrics.catalogue import METRICS, metric

How = Literal["difference", "ratio", "worst"]
SELECTION = Metric(
    "selection_rate", "higher", ("events",), "decisions", decisions.of_confusion(decisions.selection_rate)
)
NAMED = {
    "demographic_parity": (SELECTION,),
    "equal_opportunity": (METRICS["recall"],),
    "equalized_odds": (METRICS["recall"], METRICS["false_positive_rate"]),
}


@dataclass(frozen=True)
class GroupMetric:
    """How far the groups are apart in a metric.

    Attributes:
        name: such as ``recall_difference`` or ``demographic_parity_ratio``.
        of: the metrics of each group; of several, the one in which the groups are furthest apart counts.
        how: the largest minus the smallest value, the smallest over the largest, or the worst value.

    Example:
        >>> group_metric("mae_ratio").values([[np.array([2.0]), np.array([4.0])]]).tolist()
        [0.5]
    """

    name: str
    of: tuple[Metric, ...]
    how: How

    @property
    def better(self) -> Literal["higher", "lower"]:
        """Whether a higher or a lower value is better."""
        return {"difference": "lower", "ratio": "higher", "worst": self.of[0].better}[self.how]  # type: ignore[return-value]

    @property
    def sign(self) -> int:
        """Return 1 where a higher value is better, -1 where a lower one is."""
        return 1 if self.better == "higher" else -1

    def values(self, by_group: Sequence[Sequence[Array]]) -> Array:
        """Return the value of each resample (b) from those of each metric and group (metrics, groups, b)."""
        each = [self._apart(np.stack(groups)) for groups in by_group]
        return np.asarray(np.max(each, axis=0) if self.better == "lower" else np.min(each, axis=0))

    def beyond(self, limit: float, values: Array, errors: Array, confidence: float) -> tuple[float, float]:
        """Return how far the groups are beyond a limit: the least that is certain, and the standard error of it.

        Every pair of groups is a comparison, and each is made at a confidence that holds for all of them together
        (Bonferroni), by the normal approximation: chance alone puts many small groups apart.

        Args:
            limit: the limit.
            values: of each metric and group (metrics, groups).
            errors: their standard errors.
            confidence: that none of the comparisons exceeds its bound by chance.
        """
        if self.how == "worst":
            excess, error = self.sign * (limit - values), errors
        else:
            high, low = (1.0, 1.0) if self.how == "difference" else (limit, 1.0)
            excess = high * values[:, :, None] - low * values[:, None, :]
            excess = excess - limit if self.how == "difference" else excess
            error = np.hypot(high * errors[:, :, None], low * errors[:, None, :])
            pairs = ~np.eye(values.shape[1], dtype=bool)
            excess, error = excess[:, pairs], error[:, pairs]
        least = excess - NormalDist().inv_cdf(1 - (1 - confidence) / excess.size) * error
        at = np.nanargmax(least)
        return float(least.flat[at]), float(error.flat[at])

    def _apart(self, groups: Array) -> Array:
        low, high = groups.min(axis=0), groups.max(axis=0)
        if self.how == "difference":
            return np.asarray(high - low)
        if self.how == "ratio":
            return ratio(low, high, 1.0)  # of zeros: the groups are equal
        return np.asarray(low if self.of[0].better == "higher" else high)


def group_metric(name: str) -> GroupMetric:
    """Return a metric of groups by its name: a metric, or a kind of parity, with how the groups are compared.

    Raises:
        PolicyError: there is no such metric; the message names the nearest one.

    Example:
        >>> [m.name for m in group_metric("equalized_odds_difference").of]
        ['recall', 'false_positive_rate']
    """
    base, _, how = str(name).rpartition("_")
    if how in ("difference", "ratio") and (base in NAMED or base == SELECTION.name):
        return GroupMetric(name, NAMED.get(base, (SELECTION,)), how)  # type: ignore[arg-type]  # one of the two
    if how in ("difference", "ratio", "worst") and (base in METRICS or "@" in base):
        of = metric(base)
        if how == "ratio" and of.range[0] < 0:
            raise PolicyError(
                f"'{name}' has no meaning: {base} can be negative. Use {base}_difference or {base}_worst."
            )
        return GroupMetric(name, (of,), how)  # type: ignore[arg-type]  # one of the three
    ends = [f"{base}_{how}" for base in (*NAMED, SELECTION.name) for how in ("difference", "ratio")]
    examples = ["recall_difference", "roc_auc_worst", "mae_ratio"]
    raise PolicyError(
        f"{unknown('Group metric', name, [*ends, *examples])} "
        "Any metric may stand before _difference, _ratio or _worst."
    )
