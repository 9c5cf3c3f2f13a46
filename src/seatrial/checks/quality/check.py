"""Verify that predictions meet the policy's limits, and are not worse than the champion's on the same rows.

The check runs on the end-to-end replay, which is what a user gets, where the reference has labels.

- A metric against its limit: the value itself decides; its bootstrap interval is shown beside it.
- Against the champion: a paired bootstrap (Efron & Tibshirani 1993, chapter 16) of the difference. The candidate is
  worse where the difference exceeds the margin and its one-sided bound is below 0. It is not worse where the other
  bound is above minus the margin (non-inferiority). Between the two there are not enough rows to decide.
- Against a baseline: by the same bootstrap, and the version must be better. A value that is not better fails; one that
  is better only by chance is not evaluated.
- A slice is evaluated by the same rule with a normal approximation, Benjamini-Hochberg over all slices and metrics, so
  that thirty slices do not alarm by chance. Without a champion slices are measured and not evaluated.
- Groups are compared with each other: one finding where they are apart beyond the limit, and beyond chance.

The margin is in the metric's own unit where higher is better (0.01 of AUC), and a share of the champion's value where
lower is better (1 % of its log loss). The names of slices are shown: a policy that slices by a column shows its values.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from seatrial.checks.base import Check
from seatrial.checks.quality.case import QualityInput
from seatrial.checks.quality.groups import groups_apart
from seatrial.checks.quality.judge import limits_met, not_worse, remarks, slice_values
from seatrial.checks.quality.labels import NotEvaluable
from seatrial.checks.quality.models import better_than_baseline, champion_frame
from seatrial.checks.quality.scores import labelled_sample, needs_probabilities, predictions_of, unfit
from seatrial.checks.quality.slices import small_slices
from seatrial.errors import StageError
from seatrial.events import Evaluated, Event
from seatrial.trial import Trial

NAME = "quality"


def stages(trial: Trial) -> Sequence[str]:
    """Return the stages whose policy has limits on quality."""
    return [s for s in trial.pipeline.stages if trial.policy.of(s).qualities]


def run(trial: Trial, stage: str | None) -> Iterator[Event]:
    """Evaluate the scores of one stage against the labels.

    Raises:
        StageError: a stage of the path raised.
        PolicyError: a column that the policy names is not there.
    """
    assert stage is not None
    compared = 0
    for quality in trial.policy.of(stage).qualities:
        case = QualityInput(NAME, trial, stage, quality, quality.metrics)
        if not quality.every_metric:
            yield case.not_evaluated("The policy names no metric. Set at least one limit, such as roc_auc.")
            continue
        try:
            compared += yield from _evaluated(case)
        except NotEvaluable as reason:
            yield case.not_evaluated(str(reason))
    if compared:
        yield Evaluated(NAME, stage, compared)


def _evaluated(case: QualityInput) -> Generator[Event, None, int]:
    """Evaluate one ``Quality``, and return the number of comparisons."""
    found = yield from labelled_sample(case)
    if found is None:
        return 1
    data, labels = found
    if problem := unfit(case, data):
        yield problem
        case = replace(case, metrics=tuple(m for m in case.metrics if not needs_probabilities(case.quality, m)))
    if case.metrics:
        yield from limits_met(case, data)
        if not case.trial.has_champion:
            yield from slice_values(case, data)
        else:
            try:
                champion = predictions_of(case, champion_frame(case.trial, case.stage), labels)
            except StageError as error:
                yield case.not_evaluated(f"The champion cannot be run on this path for the comparison. {error}")
            else:
                yield from not_worse(case, data.beside("champion", champion))
        yield from small_slices(case, data)
        if case.quality.baseline:
            yield from better_than_baseline(case, data, labels)
    yield from remarks(case, data, labels)
    if case.quality.groups:
        yield from groups_apart(case, data)
    return max(1, len(data) * len(case.metrics))


check = Check(NAME, run, stages, order=40, reusable=True, compares=True)
