"""The labels of a reference: numbers, or codes of classes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from seatrial.checks.quality.columns import kind_of, numbers
from seatrial.errors import nearest
from seatrial.formatting import part_of
from seatrial.metrics import Array, Codes
from seatrial.pipeline import row_index
from seatrial.policy.quality import Quality
from seatrial.trial import Trial

MAX_CLASSES = 1_000
SHOWN = 5  # classes in a message


class NotEvaluable(Exception):
    """Why quality cannot be evaluated, as a sentence."""


@dataclass
class Classes:
    """The classes in the order of their codes; one that only a prediction has gets a code when it is met."""

    codes: dict[Hashable, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.codes)

    def encode(self, column: pd.Series, what: str) -> Codes:
        """Return the code of each value, -1 for null.

        Raises:
            NotEvaluable: the values are no classes.
        """
        try:
            codes, unique = pd.factorize(column)
        except TypeError:
            raise NotEvaluable(f"{what} holds lists or other values that cannot be a class.") from None
        if len(unique) > MAX_CLASSES:
            raise NotEvaluable(
                f"{what} holds {len(unique):,} different values; classes are at most {MAX_CLASSES:,}. For numbers use "
                "score= and metrics of numbers, such as rmse."
            )
        ours = [self.codes.setdefault(value, len(self.codes)) for value in unique.tolist()]
        found: Codes = np.array([*ours, -1], dtype=np.int64)[codes]
        return found


@dataclass(frozen=True)
class Labels:
    """The rows whose label is known.

    Attributes:
        keys: the key columns (n).
        values: the labels (n): numbers, or codes of classes.
        classes: the classes, where the labels are such.
    """

    keys: pd.DataFrame
    values: Array
    classes: Classes | None = None


def labels_of(trial: Trial, stage: str, quality: Quality) -> Labels:
    """Return the keys and labels of the rows that the stage has in the reference, where the label is known.

    Raises:
        NotEvaluable: there are no labels, no such column, or values that the metrics cannot use.
    """
    frame, label = trial.reference.labels, quality.label
    if frame is None:
        raise NotEvaluable(
            "The policy sets limits on quality, but the reference has no labels. "
            "Capture it with labels=, a frame of the key column and the observed outcome."
        )
    key = list(trial.pipeline.key_of(stage))
    if label not in frame.columns:
        known = [str(c) for c in frame.columns if c not in key]
        raise NotEvaluable(
            f"The labels have no column '{label}'. They have: {', '.join(known)}.{nearest(label, known)}"
        )
    if missing := [c for c in key if c not in frame.columns]:
        raise NotEvaluable(
            f"The labels have no column '{missing[0]}', but the rows of stage '{stage}' are named by "
            f"{', '.join(key)}. Capture the reference with labels that have them."
        )
    there = row_index(frame, key).isin(row_index(trial.reference.frame(stage), key))
    rows = frame[frame[label].notna() & there].reset_index(drop=True)
    keys, column = rows[key], rows[label]
    if quality.task == "classes":
        return _classes(quality, keys, column)
    if quality.task == "events" and quality.positive is not None:
        return Labels(keys, _is(column, quality.positive, label))
    values = numbers(column)
    if quality.task == "events":
        _check_events(column, values, label)
    elif not np.isfinite(values).all():
        lost = part_of(int((~np.isfinite(values)).sum()), len(values), "labels")
        what = "a relevance" if quality.task == "ranking" else "finite numbers"
        raise NotEvaluable(
            f"The labels in '{label}' must be {what} for {_named(quality)}, but {lost} are not; they are "
            f"{kind_of(column)}. Correct them, or use metrics of classes, such as f1_macro, with scores= or predicted=."
        )
    elif quality.task == "ranking" and (values < 0).any():
        raise NotEvaluable(f"The labels in '{label}' have negative values; a relevance is 0 or more.")
    _check_shares(quality, values)
    return Labels(keys, values)


def _classes(quality: Quality, keys: pd.DataFrame, column: pd.Series) -> Labels:
    classes = Classes({c: at for at, c in enumerate(quality.scores)})
    codes = classes.encode(column, f"The label column '{quality.label}'")
    declared = len(quality.scores)
    if declared and len(classes) > declared:
        unknown = int((codes >= declared).sum())
        raise NotEvaluable(
            f"{part_of(unknown, len(codes), 'labels')} in '{quality.label}' are of a class that 'scores' does not "
            f"name. Classes of the labels: {_few(column)}; of 'scores': {_listed(quality.scores)}."
        )
    return Labels(keys, codes.astype(np.float64), classes)


def _is(column: pd.Series, positive: Any, label: str) -> Array:
    """Return 1 where a label is the event."""
    found = Classes()
    codes = found.encode(column, f"The label column '{label}'")
    code = found.codes.get(positive) if isinstance(positive, Hashable) else None
    if code is None:
        raise NotEvaluable(
            f"No label in '{label}' is positive={positive!r}. Found: {_few(column)}."
            f"{nearest(str(positive), map(str, found.codes))}"
        )
    values: Array = (codes == code).astype(np.float64)
    return values


def _check_events(column: pd.Series, values: Array, label: str) -> None:
    if not np.isin(values, (0, 1)).all():
        distinct = column.nunique() if np.isfinite(values).all() else 0
        found = f"{distinct:,} different numbers" if distinct else f"{_few(column)}"
        advice = (
            "Set positive= to the label of the event"
            if kind_of(column) == "text" or 2 <= distinct <= SHOWN
            else "For numbers use metrics of numbers, such as rmse"
        )
        raise NotEvaluable(
            f"The labels in '{label}' must be 1 or true for the event and 0 or false for none; found {found}. "
            f"{advice}, or correct the labels and capture the reference again."
        )


def _check_shares(quality: Quality, values: Array) -> None:
    if zeros := int((values == 0).sum()):
        for m in quality.every_metric:
            if m.name == "mape":
                raise NotEvaluable(
                    f"mape divides by the label, and {part_of(zeros, len(values), 'labels')} in '{quality.label}' are "
                    "0. Use mae or rmse."
                )


def _named(quality: Quality) -> str:
    return ", ".join(m.name for m in quality.every_metric) or quality.task


def _few(column: pd.Series) -> str:
    try:
        values = sorted(pd.unique(column.dropna()), key=str)
    except TypeError:
        return kind_of(column)
    if len(values) > 4 * SHOWN:
        return f"{len(values):,} different values ({kind_of(column)})"
    return f"{_listed(values)} ({kind_of(column)})"


def _listed(values: Iterable[Any]) -> str:
    shown = [str(v)[:40] for v in values]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return f"{', '.join(shown[:SHOWN])}{more}"
