"""What the version is compared with: the champion, and the baseline of the policy."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from seatrial.checks.quality.bootstrap import MetricGain, gain_of
from seatrial.checks.quality.case import QualityInput
from seatrial.checks.quality.columns import Lookup
from seatrial.checks.quality.judge import figure
from seatrial.checks.quality.labels import Labels
from seatrial.checks.quality.samples import LabelledSample
from seatrial.checks.quality.scores import needs_probabilities, not_probabilities, predictions_of
from seatrial.errors import PolicyError, nearest
from seatrial.events import Event, Severity
from seatrial.formatting import part_of, share
from seatrial.metrics import Predictions
from seatrial.policy.quality import DEFAULT_THRESHOLD, PREDICTORS
from seatrial.trial import Trial


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


def better_than_baseline(case: QualityInput, data: LabelledSample, labels: Labels) -> Iterator[Event]:
    """Yield the gain over the baseline, and a finding for each metric in which the version is not better.

    Raises:
        PolicyError: the baseline is no column and no predictor.
    """
    name = _name(case)
    both = data.beside("baseline", _baseline(case, data, labels))
    if lost := len(data) - len(both):
        rows = f"{part_of(lost, len(data), 'labelled rows')} have no value of baseline {name} and were left out."
        yield case.finding(rows, "baseline-missing", severity=Severity.INFO)
    if shortage := both.shortage(case.metrics):
        yield case.not_evaluated(f"The comparison with baseline {name} was not evaluated. {shortage}")
        return
    predicted, metrics = both.of["baseline"], []
    for m in case.metrics:
        if m.needs != "decisions" and predicted.scores is None:
            yield case.not_evaluated(f"{m.name} of baseline {name} is not known: it holds classes, and no scores.")
        elif needs_probabilities(case.quality, m) and not_probabilities(predicted):
            yield case.not_evaluated(f"{m.name} of baseline {name} is not known: its values are no probabilities.")
        elif math.isnan(both.value(m, "baseline") - both.value(m)):
            yield case.not_evaluated(f"{m.name} is not defined for both the version and baseline {name}.")
        else:
            metrics.append(m)
    drawn = both.bootstrap(metrics, case.seed("baseline"))
    for m in metrics:
        yield from _compared(case, gain_of(both, m, drawn[m.name], "baseline"), name)


def _compared(case: QualityInput, gain: MetricGain, name: str) -> Iterator[Event]:
    quality, m = case.quality, gain.metric
    margin, (low, high) = gain.margin(quality.baseline_margin), gain.bounds(quality.confidence)
    yield case.measurement(f"{m.name}.baseline", gain.other)
    yield case.measurement(f"{m.name}.baseline.gain", gain.gain)
    yield case.measurement(f"{m.name}.baseline.gain.low", low)
    interval = f"{share(2 * quality.confidence - 1)} interval {low:+,.4g} to {high:+,.4g}"
    values = (
        f"{m.name} is {figure(gain.value)}; the baseline {name} has {figure(gain.other)} on the same {gain.rows:,} rows"
    )
    aim = f"not worse by more than {figure(margin)}" if margin else "better"
    if gain.gain <= -margin:
        by = f"It is worse by {figure(-gain.gain)}" if gain.gain < 0 else "It is not better"
        yield case.finding(
            f"{values}. {by} ({interval}); the policy requires it to be {aim}.",
            "not-better-than-baseline",
            advice="A simpler model is worth as much: look at data, labels and features, or serve the baseline.",
            evidence={"value": gain.value, "baseline": gain.other, "gain": gain.gain, "low": low, "high": high,
                      "margin": margin, "rows": gain.rows, "seed": case.trial.seed},
        )  # fmt: skip
    elif not low > -margin:
        needed = gain.rows_needed(margin, quality.confidence)
        enough = f" About {needed:,} rows would be enough." if needed else ""
        yield case.not_evaluated(
            f"{values}. There are not enough rows to decide whether it is {aim} ({interval}).{enough}"
        )


def _baseline(case: QualityInput, data: LabelledSample, labels: Labels) -> Predictions:
    quality = case.quality
    lookup = Lookup(case.trial, case.stage, data.keys)
    columns = [quality.baseline] if isinstance(quality.baseline, str) else list(quality.baseline.values())
    found = {c: lookup.find(c, labels=True) for c in columns}
    if isinstance(quality.baseline, str) and quality.baseline in PREDICTORS:
        if found[quality.baseline] is not None:
            raise PolicyError(
                f"Baseline '{quality.baseline}' of stage '{case.stage}' is a predictor, and a column too. Rename the "
                "column."
            )
        return _constant(case, data)
    if lacking := [c for c, values in found.items() if values is None]:
        known = [*PREDICTORS, *lookup.known(labels=True)]
        raise PolicyError(
            f"Baseline '{lacking[0]}' of stage '{case.stage}' is no column of the labels, of this stage or an earlier "
            f"one. Known: {', '.join(known[:20])}.{nearest(lacking[0], known)}"
        )
    frame = pd.concat([data.keys, *(v.rename(c) for c, v in found.items() if v is not None)], axis=1)
    frame = frame.loc[:, ~frame.columns.duplicated()]
    here = Labels(data.keys, data.version.labels, labels.classes)
    if not isinstance(quality.baseline, str):
        return predictions_of(case, frame, here, score="", scores=quality.baseline, predicted="")
    decides = quality.task == "classes" or not quality.score
    name = quality.baseline
    score, predicted = ("", name) if decides else (name, "")
    return predictions_of(case, frame, here, score=score, scores={}, predicted=predicted)


def _constant(case: QualityInput, data: LabelledSample) -> Predictions:
    """Return the predictor that always answers the share of each class, or the mean or the median of the labels."""
    quality, version, rows = case.quality, data.version, len(data)
    if quality.task == "numbers":
        middle = np.median(version.labels) if quality.baseline == "median" else _mean(version.labels)
        return Predictions(version.labels, np.full(rows, middle))
    if quality.task == "events":
        rate = float(version.labels.mean())
        threshold = DEFAULT_THRESHOLD if quality.threshold is None else quality.threshold
        return Predictions(version.labels, np.full(rows, rate), np.full(rows, int(rate >= threshold)))
    shares = np.bincount(version.codes, minlength=version.classes) / rows
    scores = np.tile(shares[: len(quality.scores)], (rows, 1)) if quality.scores else None
    return Predictions(version.labels, scores, np.full(rows, shares.argmax()), version.classes)


def _mean(values: np.ndarray) -> float:
    middle = float(np.median(values))
    return middle + float(np.mean(values - middle))


def _name(case: QualityInput) -> str:
    of = case.quality.baseline
    return f"'{of}'" if isinstance(of, str) else ", ".join(f"'{c}'" for c in of.values())
