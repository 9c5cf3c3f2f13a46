"""The variations in which a stage runs again: lists of batches, each an array of row positions of its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

SAMPLE_ROWS = 50  # sent one at a time
EDGE_SHARE = 0.6  # of the sample; the rest is drawn at random
FEW = 1_000  # distinct values up to which a column counts as categories

Batches = list[np.ndarray[Any, np.dtype[np.int64]]]


@dataclass(frozen=True)
class Variation:
    """One variation.

    Attributes:
        cause: the slug of its finding.
        property: what it shows, as the subject of a sentence.
        condition: completes "returns other values …".
        advice: what to look for where the answer differs.
        batches: returns the batches of row positions for an input.
    """

    cause: str
    property: str
    condition: str
    advice: str
    batches: Callable[[pd.DataFrame, np.random.Generator], Batches]


def at_once(frame: pd.DataFrame, _: np.random.Generator) -> Batches:
    """All rows in their order."""
    return [np.arange(len(frame))]


def in_parts(frame: pd.DataFrame, rng: np.random.Generator) -> Batches:
    """Three uneven parts: about a sixth, a third and a half of the rows."""
    cuts = (len(frame) * (np.array([1 / 6, 1 / 2]) + rng.uniform(-0.05, 0.05, 2))).astype(int)
    return [part for part in np.split(np.arange(len(frame)), cuts) if len(part)]


def one_by_one(frame: pd.DataFrame, rng: np.random.Generator) -> Batches:
    """At most ``SAMPLE_ROWS`` batches of one row."""
    return [np.array([at]) for at in choose(frame, SAMPLE_ROWS, rng)]


def shuffled(frame: pd.DataFrame, rng: np.random.Generator) -> Batches:
    """All rows in another order."""
    return [rng.permutation(len(frame))]


REPEAT = Variation(
    "not-repeatable",
    "Repeatability",
    "when it runs twice on the same input",
    "Look for an unseeded random choice, numpy's global random state, a clock, or state kept between calls.",
    at_once,
)
PARTS = Variation(
    "batch-dependent",
    "Batch dependence",
    "when the same rows are split into several batches",
    "Look for an encoder, scaler or imputer fitted on the request, or a rank, mean or quantile over the batch: "
    "fit it in training and store it with the model.",
    in_parts,
)
ROWS = Variation(
    "row-dependent",
    "Row dependence",
    "when each row is sent alone",
    "A live service processes single rows. Look for a statistic, rank or encoding of the batch, and for a special case "
    "of one row such as squeeze() or iloc[0].",
    one_by_one,
)
ORDER = Variation(
    "order-dependent",
    "Order dependence",
    "when the same rows are in another order",
    "Look for shift, diff, cumulative sums, drop_duplicates or a cache whose key is incomplete, and for rows "
    "joined by position instead of by key.",
    shuffled,
)
PROCESS = Variation(
    "process-dependent",
    "Process dependence",
    "in a fresh process",
    "Look for iteration over a set or hash() of a string in a feature (sort it first), a cache filled earlier in "
    "this process, or a random choice made when a module is imported.",
    at_once,
)


def choose(frame: pd.DataFrame, rows: int, rng: np.random.Generator) -> list[int]:
    """Return the positions of at most ``rows`` rows, ascending: edge cases first, the rest at random.

    Edge cases are, column by column in a random order: the first null, the rarest category, the smallest and the
    largest number. They take at most 60 % of the sample, so that ordinary rows are always in it.
    """
    if len(frame) <= rows:
        return list(range(len(frame)))
    chosen: dict[int, None] = {}
    for at in rng.permutation(len(frame.columns)):
        for row in _edge_cases(frame.iloc[:, at]):
            if len(chosen) < int(rows * EDGE_SHARE):
                chosen.setdefault(row)
    rest = [int(row) for row in rng.permutation(len(frame))[: 2 * rows] if int(row) not in chosen]
    return sorted([*chosen, *rest[: rows - len(chosen)]])


def _edge_cases(column: pd.Series) -> list[int]:
    nulls = column.isna().to_numpy()
    rows = [int(nulls.argmax())] if nulls.any() else []
    if nulls.all():
        return rows
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        numbers = column.to_numpy(dtype="float64", na_value=np.nan)
        return [*rows, int(np.nanargmin(numbers)), int(np.nanargmax(numbers))]
    try:
        codes, values = pd.factorize(column)
    except TypeError:  # lists and other cells without a hash
        return rows
    if 1 < len(values) <= FEW:
        rarest = np.bincount(codes[codes >= 0]).argmin()
        rows.append(int((codes == rarest).argmax()))
    return rows
