"""Metrics of predictions, computed for many bootstrap resamples at once: each takes a matrix of weights.

Names and values are those of ``sklearn.metrics`` where it has the metric. A weight is the number of times that a
resample drew a row, or a request where requests are ranked.
"""

from seatrial.metrics.base import Array, Codes, Metric, Predictions, Task, Weighted
from seatrial.metrics.catalogue import METRICS, metric
from seatrial.metrics.groups import GroupMetric, group_metric
from seatrial.metrics.resampling import resamples

__all__ = [
    "METRICS", "Array", "Codes", "GroupMetric", "Metric", "Predictions", "Task", "Weighted", "group_metric", "metric",
    "resamples",
]  # fmt: skip
