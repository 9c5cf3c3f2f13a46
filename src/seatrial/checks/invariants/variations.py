"""The ways to ask a stage the same again. A probe is a list of batches, each an array of row positions of its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

SAMPLE_ROWS = 50  # asked one at a time
ODD_SHARE = 0.6  # of the sample; the rest is drawn at random
FEW = 1_000  # distinct values up to which a column counts as categories

Batches = list[np.ndarray[Any, np.dtype[np.int64]]]


@dataclass(frozen=True)
class Variation:
    """One way to ask again. ``how`` completes "gives other values …"."""

    cause: str
    how: str
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
    "when asked the same twice",
    "Look for an unseeded random choice, numpy's global random state, a clock, or state kept between calls.",
    at_once,
)
PARTS = Variation(
    "batch-dependent",
    "when the same rows come in several batches",
    "Look for an encoder, scaler or imputer fitted on the request, or a rank, mean or quantile over the batch: "
    "fit it in training and keep it with the model.",
    in_parts,
)
ROWS = Variation(
    "row-dependent",
    "when rows come one at a time",
    "A live service answers row by row. Look for a statistic, rank or encoding of the batch, and for a special case "
    "of one row such as squeeze() or iloc[0].",
    one_by_one,
)
ORDER = Variation(
    "order-dependent",
    "when the same rows come in another order",
    "Look for shift, diff, cumulative sums, drop_duplicates or a cache keyed by too little, and for rows joined by "
    "position and not by key.",
    shuffled,
)
PROCESS = Variation(
    "process-dependent",
    "in a fresh process",
    "Look for iteration over a set or hash() of a string in a feature (sort it first), a cache filled while this "
    "process was warm, or a random choice made when a module is imported.",
    at_once,
)


def choose(frame: pd.DataFrame, rows: int, rng: np.random.Generator) -> list[int]:
    """Return the positions of at most ``rows`` rows, ascending: odd ones first, the rest at random.

    Odd is, column by column in a random order: the first null, the rarest category, the smallest and the largest
    number. They take at most 60 % of the sample, so that ordinary rows are always in it.
    """
    if len(frame) <= rows:
        return list(range(len(frame)))
    chosen: dict[int, None] = {}
    for at in rng.permutation(len(frame.columns)):
        for row in _odd(frame.iloc[:, at]):
            if len(chosen) < int(rows * ODD_SHARE):
                chosen.setdefault(row)
    rest = [int(row) for row in rng.permutation(len(frame))[: 2 * rows] if int(row) not in chosen]
    return sorted([*chosen, *rest[: rows - len(chosen)]])


def _odd(column: pd.Series) -> list[int]:
    nulls = column.isna().to_numpy()
    odd = [int(nulls.argmax())] if nulls.any() else []
    if nulls.all():
        return odd
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        numbers = column.to_numpy(dtype="float64", na_value=np.nan)
        return [*odd, int(np.nanargmin(numbers)), int(np.nanargmax(numbers))]
    try:
        codes, values = pd.factorize(column)
    except TypeError:  # lists and other cells without a hash
        return odd
    if 1 < len(values) <= FEW:
        rarest = np.bincount(codes[codes >= 0]).argmin()
        odd.append(int((codes == rarest).argmax()))
    return odd
