"""Labels and scores: the rows on which the quality of a stage is evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import PolicyError, nearest
from seatrial.formatting import plural
from seatrial.metrics import Array, Metric, resamples
from seatrial.trial import Trial

MIN_ROWS = 200  # with fewer, a metric is not evaluated
MIN_EVENTS = 20  # and as many rows without the event
RESAMPLES = 1_000


class NotEvaluable(Exception):
    """Why quality cannot be evaluated, as a sentence."""


@dataclass(frozen=True)
class LabelledSample:
    """Labels (n), the scores of the candidate (n) and of the champion (n, or None), and the keys (n)."""

    labels: Array
    scores: Array
    champion: Array | None
    keys: pd.Series

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Any) -> LabelledSample:
        """Return some rows, by position or mask."""
        champion = None if self.champion is None else self.champion[rows]
        return LabelledSample(self.labels[rows], self.scores[rows], champion, self.keys[rows])

    def shortage(self, metrics: Sequence[Metric]) -> str:
        """Return a sentence if the rows are too few for these metrics, or the empty string."""
        if len(self) < MIN_ROWS:
            return f"{plural(len(self), 'labelled row')} cannot be evaluated; {MIN_ROWS} are needed."
        if any(m.of == "events" for m in metrics):
            events = int(self.labels.sum())
            if min(events, len(self) - events) < MIN_EVENTS:
                return (
                    f"{plural(events, 'event')} among {len(self):,} labelled rows cannot be evaluated; {MIN_EVENTS} "
                    f"events and {MIN_EVENTS} rows without the event are needed."
                )
        return ""

    def values(self, metric: Metric) -> tuple[float, float | None]:
        """Return the metric of the candidate and of the champion (None without one)."""
        once = np.ones((1, len(self)))
        champion = None if self.champion is None else float(metric.values(self.labels, self.champion, once)[0])
        return float(metric.values(self.labels, self.scores, once)[0]), champion

    def bootstrap(self, metrics: Sequence[Metric], seed: Sequence[int]) -> dict[str, tuple[Array, Array | None]]:
        """Return each metric on ``RESAMPLES`` resamples, for both versions on the same rows (a paired bootstrap)."""
        candidate: dict[str, list[Array]] = {m.name: [] for m in metrics}
        champion: dict[str, list[Array]] = {m.name: [] for m in metrics}
        for weights in resamples(len(self), RESAMPLES, seed):
            for m in metrics:
                candidate[m.name].append(m.values(self.labels, self.scores, weights))
                if self.champion is not None:
                    champion[m.name].append(m.values(self.labels, self.champion, weights))
        return {
            name: (np.concatenate(values), np.concatenate(champion[name]) if champion[name] else None)
            for name, values in candidate.items()
        }


def labels_of(trial: Trial, label: str, *, events: bool) -> tuple[pd.Series, Array]:
    """Return the keys and labels of the rows whose label is known.

    Raises:
        NotEvaluable: there are no labels, no such column, or values that the metrics cannot use.
    """
    labels = trial.reference.labels
    if labels is None:
        raise NotEvaluable(
            "The policy sets limits on quality, but the reference has no labels. "
            "Capture it with labels=, a frame of the key column and the observed outcome."
        )
    if label not in labels.columns:
        known = [str(c) for c in labels.columns if c != trial.pipeline.key]
        raise NotEvaluable(
            f"The labels have no column '{label}'. They have: {', '.join(known)}.{nearest(label, known)}"
        )
    known_rows = labels[labels[label].notna()].reset_index(drop=True)
    values = numbers(known_rows[label])
    if not np.isfinite(values).all() or (events and not np.isin(values, (0, 1)).all()):
        allowed = "1 or true for the event and 0 or false for none" if events else "finite numbers"
        raise NotEvaluable(f"The labels in '{label}' must be {allowed}. Correct them and capture the reference again.")
    return known_rows[trial.pipeline.key], values


def numbers(column: pd.Series) -> Array:
    """Return a column as float64; NaN for null and for values that are not numbers."""
    values: Array = pd.to_numeric(column, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    return values


def groups(trial: Trial, stage: str, column: str, keys: pd.Series) -> pd.Series:
    """Return the values of a slice column for ``keys`` as text, as recorded in the reference; null is ``null``.

    The column is taken from the stage or an earlier one, the nearest first, else from the requests.

    Raises:
        PolicyError: no such column.
    """
    names = trial.pipeline.stages
    before = [trial.reference.frame(s) for s in reversed(names[: names.index(stage) + 1])]
    frames = [f for f in [*before, trial.reference.requests] if trial.pipeline.key in f.columns]
    for frame in frames:
        if column in frame.columns:
            at = pd.Index(frame[trial.pipeline.key]).get_indexer(pd.Index(keys))
            values = frame[column].astype(object).where(frame[column].notna(), "null").map(str)
            found: pd.Series = values.iloc[at].where(at >= 0, "null").reset_index(drop=True)
            return found
    known = list(dict.fromkeys(str(c) for f in frames for c in f.columns))
    raise PolicyError(
        f"Slice '{column}' of stage '{stage}' is not a column of this stage or an earlier one. "
        f"Columns: {', '.join(known[:20])}.{nearest(column, known)}"
    )
