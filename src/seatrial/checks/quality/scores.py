"""What a model predicted for the labelled rows, read from the frame of its stage."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from seatrial.checks.quality.case import QualityInput, requests_of
from seatrial.checks.quality.columns import kind_of, numbers, positions
from seatrial.checks.quality.labels import Classes, Labels, NotEvaluable, labels_of
from seatrial.checks.quality.samples import LabelledSample
from seatrial.errors import nearest
from seatrial.events import Event, Finding
from seatrial.formatting import part_of
from seatrial.metrics import Array, Codes, Metric, Predictions
from seatrial.policy.quality import DEFAULT_THRESHOLD, Quality

SUM_OFF = 0.01  # how far the probabilities of a row may be from a sum of 1, for rounded ones


def labelled_sample(case: QualityInput) -> Generator[Event, None, tuple[LabelledSample, Labels] | None]:
    """Yield what is wrong with the scores, and return the labelled rows that have both.

    Returns:
        None where the stage lacks a column that is read.

    Raises:
        NotEvaluable: there are no labels, or too few rows.
        PolicyError: the request column is not known.
    """
    stage, frame = case.stage, case.trial.chained(case.stage)
    labels = labels_of(case.trial, stage, case.quality)
    if lacking := [c for c in case.columns if c not in frame.columns]:
        known = [str(c) for c in frame.columns]
        what = "predicted" if lacking[0] == case.quality.predicted else "score"
        yield case.finding(
            f"Stage '{stage}' did not return the {what} column '{lacking[0]}'. It returned: {', '.join(known)}."
            f"{nearest(lacking[0], known)}",
            "no-score",
            column=lacking[0],
            advice="Return the column, or name the right one in the stage's Quality(...).",
        )
        return None
    predicted = predictions_of(case, frame, labels)
    known_rows = predicted.known
    if lost := int((~known_rows).sum()):
        text = next((c for c in case.columns if _is_no_number(case, frame[c])), None)
        kind = f" Column '{text}' holds {kind_of(frame[text])}, and a score is a number." if text else ""
        yield case.finding(
            f"Stage '{stage}' returned no finite score for {part_of(lost, len(known_rows), 'labelled rows')}.{kind}"
            if case.columns != [case.quality.predicted]
            else f"Stage '{stage}' returned no class for {part_of(lost, len(known_rows), 'labelled rows')}.",
            "no-score",
            advice="Look for nulls or lost rows on the path: every row needs a score.",
            evidence={"rows": len(known_rows), "count": lost, "keys": _keys(labels.keys[~known_rows].head(5))},
        )
    predicted = replace(predicted, requests=requests_of(case, labels.keys))
    data = LabelledSample(labels.keys, {"version": predicted}).take(known_rows)
    if foreign := _foreign(case, labels, data):
        yield foreign
    if shortage := data.shortage(case.metrics or case.quality.every_metric):
        raise NotEvaluable(shortage)
    return data, Labels(data.keys, data.version.labels, labels.classes)


def unfit(case: QualityInput, data: LabelledSample) -> Finding | None:
    """Return a finding if a metric needs probabilities and the scores are none."""
    needing = [m.name for m in case.quality.every_metric if needs_probabilities(case.quality, m)]
    outside = not_probabilities(data.version)
    if not needing or not outside:
        return None
    classes = data.version.scores is not None and data.version.scores.ndim == 2
    return case.finding(
        f"{part_of(outside, len(data), 'scores')} are outside 0 to 1{' or do not sum to 1' if classes else ''}, but "
        f"{', '.join(needing)} needs probabilities.",
        "not-a-probability",
        advice="Return probabilities, set a threshold= for decisions, or set limits on a metric of ranks, such as "
        "roc_auc.",
        evidence={"rows": len(data), "count": outside},
    )


def needs_probabilities(quality: Quality, m: Metric) -> bool:
    """Whether a metric needs probabilities here: decisions do where they are made at a probability of 0.5."""
    by_default = bool(quality.score) and not quality.predicted and quality.threshold is None
    return m.needs == "probabilities" or (m.needs == "decisions" and by_default)


def not_probabilities(predicted: Predictions) -> int:
    """Return for how many rows the scores are no probabilities."""
    s = predicted.scores
    if s is None:
        return 0
    outside = ((s < 0) | (s > 1)).reshape(len(s), -1).any(axis=1)
    if s.ndim == 2:
        outside |= np.abs(s.sum(axis=1) - 1) > SUM_OFF
    return int(outside.sum())


def predictions_of(
    case: QualityInput,
    frame: pd.DataFrame,
    labels: Labels,
    *,
    score: str | None = None,
    scores: Mapping[Any, str] | None = None,
    predicted: str | None = None,
) -> Predictions:
    """Return what a frame holds for the keys of the labels; NaN and -1 for a key or a column that is missing.

    Args:
        case: the case.
        frame: of the stage.
        labels: the labelled rows.
        score: the score column, where it is not the policy's.
        scores: the columns by class, where they are not the policy's.
        predicted: the column of classes, where it is not the policy's.
    """
    quality = case.quality
    score = quality.score if score is None else score
    scores = quality.scores if scores is None else scores
    predicted = quality.predicted if predicted is None else predicted
    at = positions(frame, labels.keys, list(labels.keys.columns)) if len(frame) else np.full(len(labels.keys), -1)

    def read(column: str) -> Array:
        if column not in frame.columns or not len(frame):
            return np.full(len(at), np.nan)
        values: Array = np.where(at >= 0, numbers(frame[column])[at], np.nan)
        return values

    of = np.stack([read(c) for c in scores.values()], axis=1) if scores else read(score) if score else None
    decided: Codes | None = None
    if predicted:
        column = frame[predicted] if predicted in frame.columns else pd.Series(np.nan, index=frame.index)
        codes = np.append(_decisions(quality, column, labels.classes, predicted), -1)
        decided = codes[np.where(at >= 0, at, len(codes) - 1)]
    elif scores and of is not None:
        decided = np.nan_to_num(of).argmax(axis=1)
    elif quality.task == "events" and of is not None:
        decided = (of >= (DEFAULT_THRESHOLD if quality.threshold is None else quality.threshold)).astype(np.int64)
    return Predictions(labels.values, of, decided, len(labels.classes) if labels.classes else 2)


def _decisions(quality: Quality, column: pd.Series, classes: Classes | None, name: str) -> Codes:
    if classes is not None:
        return classes.encode(column, f"Column '{name}'")
    own = Classes()
    codes = own.encode(column, f"Column '{name}'")
    positive = 1 if quality.positive is None else quality.positive
    event = own.codes.get(positive, -2)
    decided = np.where(codes == event, 1, np.where(codes < 0, -1, 0))
    if quality.positive is None and {*own.codes} - {0, 1}:
        raise NotEvaluable(f"Column '{name}' must hold 1 or true for the event and 0 or false for none; set positive=.")
    return decided.astype(np.int64)


def _foreign(case: QualityInput, labels: Labels, data: LabelledSample) -> Finding | None:
    """Return a finding if no predicted class is a class of the labels: they are written otherwise."""
    if labels.classes is None or not case.quality.predicted or data.version.decided is None or not len(data):
        return None
    if np.isin(data.version.decided, np.unique(data.version.codes)).any():
        return None
    of_labels = {type(c).__name__ for c, code in labels.classes.codes.items() if (labels.values == code).any()}
    others = {type(c).__name__ for c in labels.classes.codes} - of_labels
    types = f" Labels are of type {', '.join(sorted(of_labels))}, predictions {', '.join(sorted(others))}."
    return case.finding(
        f"No value of '{case.quality.predicted}' is a class of the labels.{types if others else ''}",
        "other-classes",
        advice="Return the classes as they are written in the labels.",
    )


def _is_no_number(case: QualityInput, column: pd.Series) -> bool:
    return (
        column.name != case.quality.predicted and bool(column.notna().any()) and bool(np.isnan(numbers(column)).all())
    )


def _keys(keys: pd.DataFrame) -> list[str]:
    return [", ".join(map(str, row)) for row in keys.itertuples(index=False)]
