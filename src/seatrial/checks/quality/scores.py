"""The scores of a stage beside the labels, and the scores of the champion on the same rows."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from seatrial.checks.quality.samples import LabelledSample, NotEvaluable, labels_of, numbers
from seatrial.errors import nearest
from seatrial.events import Event, Finding, Measurement
from seatrial.formatting import part_of
from seatrial.metrics import Array, Metric
from seatrial.policy.stages import Quality
from seatrial.trial import Trial


@dataclass(frozen=True)
class QualityInput:
    """What one case of the quality check works on.

    Attributes:
        check: the name of the check that reports.
        trial: the trial.
        stage: the stage that returns the scores.
        quality: the policy of the stage.
        metrics: the metrics that can be computed from its scores.
    """

    check: str
    trial: Trial
    stage: str
    quality: Quality
    metrics: tuple[Metric, ...]

    def seed(self, of: str = "") -> list[int]:
        """Return the seed of one bootstrap."""
        return [self.trial.seed, crc32(f"{self.stage} {of}".encode())]

    def finding(self, message: str, cause: str, **more: Any) -> Finding:
        """Return a finding on the score column."""
        return Finding(self.check, self.stage, message, **{"column": self.quality.score, "cause": cause, **more})

    def measurement(self, name: str, value: float) -> Measurement:
        """Return a number on the score column."""
        return Measurement(self.check, self.stage, name, value, column=self.quality.score)


def labelled_scores(case: QualityInput) -> Generator[Event, None, LabelledSample | None]:
    """Yield what is wrong with the scores, and return labels and scores of the rows that have both.

    Returns:
        None where the stage has no score column.

    Raises:
        NotEvaluable: there are no labels, or too few rows.
    """
    stage, score = case.stage, case.quality.score
    frame = case.trial.chained(stage)
    keys, labels = labels_of(case.trial, case.quality.label, events=any(m.of == "events" for m in case.metrics))
    if score not in frame.columns:
        known = [str(c) for c in frame.columns]
        yield case.finding(
            f"Stage '{stage}' did not return the score column '{score}'. It returned: {', '.join(known)}."
            f"{nearest(score, known)}",
            "no-score",
            advice="Return the score, or name the right column in the stage's Quality(score=...).",
        )
        return None
    scores = scores_of(case, frame, keys)
    finite = np.isfinite(scores)
    if lost := int((~finite).sum()):
        yield case.finding(
            f"Stage '{stage}' returned no finite score for {part_of(lost, len(scores), 'labelled rows')}.",
            "no-score",
            advice="Look for nulls or lost rows on the path: every row needs a score.",
            evidence={"rows": len(scores), "count": lost, "keys": [str(k) for k in keys[~finite].head(5)]},
        )
    data = LabelledSample(labels[finite], scores[finite], None, keys[finite].reset_index(drop=True))
    unfit = [m.name for m in case.metrics if m.scores == "probability"]
    if unfit and not are_probabilities(data):
        outside = int(((data.scores < 0) | (data.scores > 1)).sum())
        yield case.finding(
            f"{part_of(outside, len(data), 'scores')} are outside 0 to 1, but {', '.join(unfit)} needs probabilities.",
            "not-a-probability",
            advice="Return probabilities, or set limits on a metric of ranks, such as roc_auc.",
            evidence={"rows": len(data), "count": outside},
        )
    if shortage := data.shortage(case.metrics):
        raise NotEvaluable(shortage)
    return data


def are_probabilities(data: LabelledSample) -> bool:
    """Whether every score is between 0 and 1."""
    return bool(((data.scores >= 0) & (data.scores <= 1)).all())


def scores_of(case: QualityInput, frame: pd.DataFrame, keys: pd.Series) -> Array:
    """Return the scores of ``keys`` in their order; NaN for a key that is missing."""
    if case.quality.score not in frame.columns or not len(frame):
        return np.full(len(keys), np.nan)
    at = pd.Index(frame[case.trial.pipeline.key]).get_indexer(pd.Index(keys))
    found: Array = np.where(at >= 0, numbers(frame[case.quality.score])[at], np.nan)
    return found


def champion_frame(trial: Trial, stage: str) -> pd.DataFrame:
    """Return the frame of ``stage`` in an end-to-end replay with the champion's model.

    Raises:
        StageError: a stage raised.
    """
    names = trial.pipeline.stages[: trial.pipeline.stages.index(stage) + 1]
    first = next((s for s in names if "model" in trial.pipeline.stage(s).needs), None)
    if first is None:
        return trial.chained(stage)

    def replay() -> pd.DataFrame:
        before = trial.pipeline.before(first)
        frame = trial.input_of(first) if before is None else trial.chained(before).copy()
        return trial.through(names[names.index(first) :], frame, model="champion")

    return trial.once(("champion", stage), replay)
