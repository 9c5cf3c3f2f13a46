"""Are the predictions worth what the policy asks, and no less than those of the promoted version on the same rows?

Judged on the chained replay, what a user gets, where the reference carries labels.

- A metric against its limit: the value itself decides; its bootstrap interval is told beside it.
- Against the promoted version: a paired bootstrap (Efron & Tibshirani 1993, chapter 16) of the difference. Worse is:
  by more than the margin, and surely worse at all (the one-sided bound of the difference is below 0). Not worse is: the
  other bound is above minus the margin (non-inferiority). Between the two there are not enough rows to tell.
- A slice is judged by the same rule with a normal approximation, Benjamini-Hochberg over all slices and metrics, so
  that thirty slices do not alarm by chance. Without a promoted version slices are measured and not judged.

The margin is in the metric's own unit where higher is better (0.01 of AUC), and a share of the promoted version's
value where lower is (1 % of its log loss). The names of slices are shown: a policy that slices by a column shows it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from seatrial.checks.base import Check
from seatrial.checks.quality.bootstrap import Difference, difference, discoveries
from seatrial.checks.quality.samples import EVENTS, ROWS, LabelledSample, NotEvaluable, groups, labels_of, numbers
from seatrial.errors import StageError, nearest
from seatrial.events import Evaluated, Event, Finding, Measurement, NotEvaluated, Severity
from seatrial.metrics import Metric, metric
from seatrial.policy.stages import Quality
from seatrial.trial import Trial

NAME = "quality"
MOST_SLICES = 50  # values of one column, the largest


@dataclass(frozen=True)
class QualityInput:
    """The stage, what its policy asks, and the metrics that can be computed of its scores."""

    trial: Trial
    stage: str
    quality: Quality
    metrics: tuple[Metric, ...]

    def seed(self, of: str = "") -> list[int]:
        """Return the seed of one bootstrap."""
        return [self.trial.seed, crc32(f"{self.stage} {of}".encode())]

    def finding(self, message: str, cause: str, **more: Any) -> Finding:
        """Return a finding on the score column."""
        return Finding(NAME, self.stage, message, **{"column": self.quality.score, "cause": cause, **more})

    def measured(self, name: str, value: float) -> Measurement:
        """Return a number on the score column."""
        return Measurement(NAME, self.stage, name, value, column=self.quality.score)


def stages(trial: Trial) -> Sequence[str]:
    """Ask of the stages whose policy says what their predictions must be worth."""
    return [s for s in trial.pipeline.stages if trial.policy.of(s).quality is not None]


def run(trial: Trial, stage: str | None) -> Iterator[Event]:
    """Judge one stage's scores against the labels.

    Raises:
        StageError: a stage of the path raised.
        PolicyError: an unknown metric, or a slice that is no column.
    """
    assert stage is not None
    quality = trial.policy.of(stage).quality
    assert quality is not None
    asked = QualityInput(trial, stage, quality, tuple(metric(name) for name in quality.limits))
    if not asked.metrics:
        yield NotEvaluated(NAME, stage, "the policy names no metric: state at least one limit, such as roc_auc")
        return
    try:
        data = yield from _gathered(asked)
    except NotEvaluable as reason:
        yield NotEvaluated(NAME, stage, str(reason))
        return
    if data is None:
        yield Evaluated(NAME, stage, 1)
        return
    asked = replace(asked, metrics=tuple(m for m in asked.metrics if m.scores == "any" or _probable(data)))
    yield from _limits(asked, data)
    if trial.champion is None:
        for column, value, part in _slices(asked, data):
            for m in asked.metrics:
                yield asked.measured(f"{m.name}/{column}:{value}", part.values(m)[0])
    else:
        try:
            theirs = _scores(asked, _champion(trial, stage), data.keys)
        except StageError as error:
            yield NotEvaluated(NAME, stage, f"the promoted version cannot be run on this path to compare with: {error}")
        else:
            yield from _promoted(asked, replace(data, champion=theirs).take(np.isfinite(theirs)))
    yield from _untold_slices(asked, data)
    yield Evaluated(NAME, stage, max(1, len(data) * len(asked.metrics)))


check = Check(NAME, run, stages, order=40)


def _gathered(asked: QualityInput) -> Generator[Event, None, LabelledSample | None]:
    """Return labels and scores of the rows that have both, telling what is wrong with the scores.

    Raises:
        NotTold: labels that are not there, or too few rows.
    """
    stage, score = asked.stage, asked.quality.score
    frame = asked.trial.chained(stage)
    keys, labels = labels_of(asked.trial, asked.quality.label, events=any(m.of == "events" for m in asked.metrics))
    if score not in frame.columns:
        known = [str(c) for c in frame.columns]
        yield asked.finding(
            f"Stage '{stage}' returned no score '{score}'. It returned: {', '.join(known)}.{nearest(score, known)}",
            "no-score",
            advice="Return the score, or name the right column in the stage's Quality(score=...).",
        )
        return None
    scores = _scores(asked, frame, keys)
    sound = np.isfinite(scores)
    if lost := int((~sound).sum()):
        yield asked.finding(
            f"Stage '{stage}' gives no finite score for {lost:,} of {len(scores):,} labelled rows.",
            "no-score",
            advice="A row without a score is worth nothing to a user: look for nulls or lost rows in the path.",
            evidence={"rows": len(scores), "count": lost, "keys": [str(k) for k in keys[~sound].head(5)]},
        )
    data = LabelledSample(labels[sound], scores[sound], None, keys[sound].reset_index(drop=True))
    unfit = [m.name for m in asked.metrics if m.scores == "probability"]
    if unfit and not _probable(data):
        strange = int(((data.scores < 0) | (data.scores > 1)).sum())
        yield asked.finding(
            f"{strange:,} of {len(data):,} scores are outside 0 to 1; {', '.join(unfit)} need probabilities.",
            "not-a-probability",
            advice="Return probabilities, or limit a metric of ranks such as roc_auc.",
            evidence={"rows": len(data), "count": strange},
        )
    if lack := data.lacks(asked.metrics):
        raise NotEvaluable(lack)
    return data


def _probable(data: LabelledSample) -> bool:
    return bool(((data.scores >= 0) & (data.scores <= 1)).all())


def _scores(asked: QualityInput, frame: pd.DataFrame, keys: pd.Series) -> Any:
    """Return the scores of ``keys`` in their order; NaN for a key that is not there."""
    if asked.quality.score not in frame.columns or not len(frame):
        return np.full(len(keys), np.nan)
    at = pd.Index(frame[asked.trial.pipeline.key]).get_indexer(pd.Index(keys))
    return np.where(at >= 0, numbers(frame[asked.quality.score])[at], np.nan)


def _champion(trial: Trial, stage: str) -> pd.DataFrame:
    """Return what the path gives with the promoted version's model."""
    names = trial.pipeline.stages[: trial.pipeline.stages.index(stage) + 1]
    first = next((s for s in names if "model" in trial.pipeline.stage(s).needs), None)
    if first is None:
        return trial.chained(stage)

    def work() -> pd.DataFrame:
        before = trial.pipeline.before(first)
        frame = trial.input_of(first) if before is None else trial.chained(before).copy()
        for name in names[names.index(first) :]:
            frame = trial.step(name, model=trial.champion)(frame)
        return frame

    return trial.once(("champion", stage), work)


def _limits(asked: QualityInput, data: LabelledSample) -> Iterator[Event]:
    drawn = data.bootstrap(asked.metrics, asked.seed())
    tail = 1 - asked.quality.confidence
    for m in asked.metrics:
        value, limit = data.values(m)[0], asked.quality.limits[m.name]
        low, high = np.nanquantile(drawn[m.name][0], [tail, 1 - tail]).tolist()
        yield asked.measured(m.name, value)
        yield asked.measured(f"{m.name}.low", low)
        yield asked.measured(f"{m.name}.high", high)
        if not m.holds(value, limit):
            bound = "at least" if m.better == "higher" else "at most"
            yield asked.finding(
                f"{m.name} of '{asked.quality.score}' is {value:.4g} ({1 - 2 * tail:.0%} interval {low:.4g} to "
                f"{high:.4g}, {_size(data, m)}); the policy asks for {bound} {limit:g}.",
                "limit-missed",
                advice="Compare the training run with the last good one: data, labels, convergence, features.",
                evidence={"value": value, "limit": limit, "low": low, "high": high, "rows": len(data),
                          "seed": asked.trial.seed},
            )  # fmt: skip


def _promoted(asked: QualityInput, data: LabelledSample) -> Iterator[Event]:
    """Compare with the promoted version, over all, and by slice the metrics that are not worse over all."""
    if lack := data.lacks(asked.metrics):
        yield NotEvaluated(NAME, asked.stage, f"against the promoted version: {lack}")
        return
    drawn, worse = data.bootstrap(asked.metrics, asked.seed()), set()
    for m in asked.metrics:
        for event in _versus(asked, data, difference(data, m, *drawn[m.name])):
            yield event
            if isinstance(event, Finding) and event.severity is Severity.ERROR:
                worse.add(m.name)
    by_slice = []
    for column, value, part in _slices(asked, data):
        drawn = part.bootstrap(asked.metrics, asked.seed(f"{column}:{value}"))
        by_slice += [(f"{column}:{value}", part, difference(part, m, *drawn[m.name])) for m in asked.metrics]
    real = discoveries([d.p_value for *_, d in by_slice], 1 - asked.quality.confidence)
    for (name, part, d), discovered in zip(by_slice, real, strict=True):
        yield asked.measured(f"{d.metric.name}/{name}", d.value)
        yield asked.measured(f"{d.metric.name}.gain/{name}", d.gain)
        if discovered and d.gain < -d.margin(asked.quality) and d.metric.name not in worse:
            yield _worse(asked, part, d, f" in slice {name}")


def _versus(asked: QualityInput, data: LabelledSample, d: Difference) -> Iterator[Event]:
    name, quality = d.metric.name, asked.quality
    margin = d.margin(quality)
    low, high = d.bounds(quality.confidence)
    yield asked.measured(f"{name}.promoted", d.promoted)
    yield asked.measured(f"{name}.gain", d.gain)
    yield asked.measured(f"{name}.gain.low", low)
    yield asked.measured(f"{name}.gain.high", high)
    if d.gain < -margin and high < 0:
        interval = f" ({2 * quality.confidence - 1:.0%} interval {-high:.4g} to {-low:.4g})"
        yield _worse(asked, data, d, interval)
    elif low < -margin:
        wanted = d.rows_wanted(quality)
        yield asked.finding(
            f"There are not enough rows to tell whether {name} is worse than the promoted version's by more than "
            f"{margin:.4g}: on {_size(data, d.metric)} the gain is {d.gain:+.4g}, between {low:+.4g} and {high:+.4g}"
            + (f"; about {wanted:,} rows would tell." if wanted else "."),
            "too-few-rows-to-tell",
            severity=Severity.WARNING,
            advice="Capture the reference with more labelled rows, or state a wider margin.",
            evidence={"gain": d.gain, "low": low, "high": high, "margin": margin, "rows": len(data),
                      "seed": asked.trial.seed},
        )  # fmt: skip


def _worse(asked: QualityInput, data: LabelledSample, d: Difference, where: str) -> Finding:
    margin = d.margin(asked.quality)
    return asked.finding(
        f"{d.metric.name} is {d.value:.4g}, and {d.promoted:.4g} with the promoted version on the same "
        f"{_size(data, d.metric)}: worse by {-d.gain:.4g}{where}; the margin is {margin:.4g}.",
        "worse-than-promoted",
        advice="Compare the two training runs: data, labels, convergence, features. The promoted version stays.",
        evidence={"value": d.value, "promoted": d.promoted, "gain": d.gain, "margin": margin, "p_value": d.p_value,
                  "rows": len(data), "seed": asked.trial.seed},
    )  # fmt: skip


def _size(data: LabelledSample, m: Metric) -> str:
    events = f", {int(data.labels.sum()):,} events" if m.of == "events" else ""
    return f"{len(data):,} rows{events}"


def _slices(asked: QualityInput, data: LabelledSample) -> Iterator[tuple[str, str, LabelledSample]]:
    """Yield column, value and rows of every slice with enough rows."""
    for column in asked.quality.slices:
        values = groups(asked.trial, asked.stage, column, data.keys)
        for value in values.value_counts().index[:MOST_SLICES]:
            part = data.take((values == value).to_numpy())
            if not part.lacks(asked.metrics):
                yield column, value, part


def _untold_slices(asked: QualityInput, data: LabelledSample) -> Iterator[Event]:
    told = {column for column, *_ in _slices(asked, data)}
    for column in asked.quality.slices:
        if column not in told:
            yield asked.finding(
                f"No value of slice '{column}' has what it takes to tell: {ROWS} labelled rows, and where events are "
                f"judged {EVENTS} of them and {EVENTS} others.",
                "slice-not-told",
                severity=Severity.WARNING,
                advice="Slice by a column of few values, or capture the reference with more labelled rows.",
            )
