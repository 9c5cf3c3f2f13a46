"""Verify that predictions meet the policy's limits, and are not worse than the champion's on the same rows.

The check runs on the end-to-end replay, which is what a user gets, where the reference has labels.

- A metric against its limit: the value itself decides; its bootstrap interval is shown beside it.
- Against the champion: a paired bootstrap (Efron & Tibshirani 1993, chapter 16) of the difference. The candidate is
  worse where the difference exceeds the margin and its one-sided bound is below 0. It is not worse where the other
  bound is above minus the margin (non-inferiority). Between the two there are not enough rows to decide.
- A slice is evaluated by the same rule with a normal approximation, Benjamini-Hochberg over all slices and metrics, so
  that thirty slices do not alarm by chance. Without a champion slices are measured and not evaluated.

The margin is in the metric's own unit where higher is better (0.01 of AUC), and a share of the champion's value where
lower is better (1 % of its log loss). The names of slices are shown: a policy that slices by a column shows its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from seatrial.checks.base import Check
from seatrial.checks.quality.judge import limits_met, not_worse, slice_values, small_slices
from seatrial.checks.quality.samples import NotEvaluable
from seatrial.checks.quality.scores import (
    QualityInput,
    are_probabilities,
    champion_frame,
    labelled_scores,
    scores_of,
)
from seatrial.errors import StageError
from seatrial.events import Evaluated, Event, NotEvaluated
from seatrial.metrics import metric
from seatrial.trial import Trial

NAME = "quality"


def stages(trial: Trial) -> Sequence[str]:
    """Return the stages whose policy has limits on quality."""
    return [s for s in trial.pipeline.stages if trial.policy.of(s).quality is not None]


def run(trial: Trial, stage: str | None) -> Iterator[Event]:
    """Evaluate the scores of one stage against the labels.

    Raises:
        StageError: a stage of the path raised.
        PolicyError: a metric is unknown, or a slice is not a column.
    """
    assert stage is not None
    quality = trial.policy.of(stage).quality
    assert quality is not None
    case = QualityInput(NAME, trial, stage, quality, tuple(metric(name) for name in quality.limits))
    if not case.metrics:
        yield NotEvaluated(NAME, stage, "The policy names no metric. Set at least one limit, such as roc_auc.")
        return
    try:
        data = yield from labelled_scores(case)
    except NotEvaluable as reason:
        yield NotEvaluated(NAME, stage, str(reason))
        return
    if data is None:
        yield Evaluated(NAME, stage, 1)
        return
    case = replace(case, metrics=tuple(m for m in case.metrics if m.scores == "any" or are_probabilities(data)))
    yield from limits_met(case, data)
    if not trial.has_champion:
        yield from slice_values(case, data)
    else:
        try:
            champion = scores_of(case, champion_frame(trial, stage), data.keys)
        except StageError as error:
            yield NotEvaluated(NAME, stage, f"The champion cannot be run on this path for the comparison. {error}")
        else:
            yield from not_worse(case, replace(data, champion=champion).take(np.isfinite(champion)))
    yield from small_slices(case, data)
    yield Evaluated(NAME, stage, max(1, len(data) * len(case.metrics)))


check = Check(NAME, run, stages, order=40)
