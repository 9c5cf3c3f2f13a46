"""The variations in which a stage runs again: lists of batches, each an array of row positions of its input.

Batches are cut between requests, never inside one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

SAMPLE_REQUESTS = 50  # sent one at a time
MOST_ROWS = 20_000  # of the whole requests that the other variations run on
PARTS_COUNT = 3  # batches that the requests are split into
EDGE_SHARE = 0.6  # of a sample; the rest is drawn at random
EDGE_COLUMNS = 200  # searched for edge cases
FEW = 1_000  # distinct values up to which a column counts as categories

Batches = list[np.ndarray[Any, np.dtype[np.int64]]]
Positions = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Variation:
    """One variation.

    Attributes:
        cause: the slug of its finding.
        property: what it shows, as the subject of a sentence.
        condition: completes "returns other values …".
        also: completes "It does so too …", where another variation showed the same.
        advice: what to look for where the answer differs.
        batches: returns the batches of row positions for an input and the number of each row's request, at most so many
            of them where a stage is dear.
        together: whether one batch holds every row, so that what depends on the number of rows is no difference.
    """

    cause: str
    property: str
    condition: str
    also: str
    advice: str
    batches: Callable[[pd.DataFrame, Positions, np.random.Generator, int], Batches]
    together: bool = True


def at_once(frame: pd.DataFrame, *_: object) -> Batches:
    """All rows in their order."""
    return [np.arange(len(frame))]


def in_parts(_: pd.DataFrame, numbers: Positions, rng: np.random.Generator, most: int = PARTS_COUNT) -> Batches:
    """Three uneven parts, about a sixth, a third and a half of the requests; two where three are too many."""
    requests = int(numbers.max(initial=-1)) + 1
    shares = np.array([1 / 6, 1 / 2] if most >= PARTS_COUNT else [1 / 3])
    cuts = (requests * (shares + rng.uniform(-0.05, 0.05, len(shares)))).astype(int)
    part = np.searchsorted(cuts, numbers, side="right")
    return [rows for n in range(len(cuts) + 1) if len(rows := np.flatnonzero(part == n))]


def one_by_one(frame: pd.DataFrame, numbers: Positions, rng: np.random.Generator, most: int = 0) -> Batches:
    """At most ``SAMPLE_REQUESTS`` batches of one request."""
    chosen = choose(frame, numbers, min(SAMPLE_REQUESTS, most or SAMPLE_REQUESTS), rng)
    rows = np.flatnonzero(np.isin(numbers, chosen))
    rows = rows[np.argsort(numbers[rows], kind="stable")]
    return np.split(rows, np.flatnonzero(np.diff(numbers[rows])) + 1) if len(rows) else []


def shuffled(_: pd.DataFrame, numbers: Positions, rng: np.random.Generator, *__: object) -> Batches:
    """All requests in another order; the rows of one request keep theirs."""
    place = rng.permutation(int(numbers.max(initial=-1)) + 1)
    return [np.argsort(place[numbers], kind="stable")]


REPEAT = Variation(
    "not-repeatable",
    "Repeatability",
    "when it runs twice on the same input",
    "when it runs twice",
    "Look for an unseeded random choice, numpy's global random state, a clock, or state kept between calls.",
    at_once,
)
PARTS = Variation(
    "batch-dependent",
    "Batch dependence",
    "when the same requests are split into several batches",
    "when they are split into several batches",
    "Look for an encoder, scaler or imputer fitted on the request, or a rank, mean or quantile over the batch: "
    "fit it in training and store it with the model.",
    in_parts,
    together=False,
)
ROWS = Variation(
    "row-dependent",
    "Row dependence",
    "when each request is sent alone",
    "when each request is sent alone",
    "A live service processes single requests. Look for a statistic, rank or encoding of the batch, and for a "
    "special case of one row such as squeeze() or iloc[0].",
    one_by_one,
    together=False,
)
ORDER = Variation(
    "order-dependent",
    "Order dependence",
    "when the same requests are in another order",
    "when they are in another order",
    "Look for shift, diff, cumulative sums, drop_duplicates or a cache whose key is incomplete, and for rows "
    "joined by position instead of by key.",
    shuffled,
)
PROCESS = Variation(
    "process-dependent",
    "Process dependence",
    "in a fresh process",
    "in a fresh process",
    "Look for iteration over a set or hash() of a string in a feature (sort it first), a cache filled earlier in "
    "this process, or a random choice made when a module is imported.",
    at_once,
)


def choose(frame: pd.DataFrame, numbers: Positions, most: int, rng: np.random.Generator) -> list[int]:
    """Return the numbers of at most ``most`` requests, ascending: edge cases first, the rest at random.

    Edge cases are, column by column in a random order: the first null, the rarest category, the smallest and the
    largest number. They take at most 60 % of the sample, so that ordinary requests are always in it.

    Args:
        frame: rows of requests.
        numbers: of each row its request, counted from 0.
        most: requests.
        rng: draws the columns and the rest.
    """
    requests = int(numbers.max(initial=-1)) + 1
    if requests <= most:
        return list(range(requests))
    chosen: dict[int, None] = {}
    for at in rng.permutation(len(frame.columns))[:EDGE_COLUMNS]:
        if len(chosen) >= int(most * EDGE_SHARE):
            break
        for row in _edge_cases(frame.iloc[:, at]):
            if len(chosen) < int(most * EDGE_SHARE):
                chosen.setdefault(int(numbers[row]))
    rest = [int(number) for number in rng.permutation(requests)[: 2 * most] if int(number) not in chosen]
    return sorted([*chosen, *rest[: most - len(chosen)]])


def sample(frame: pd.DataFrame, numbers: Positions, rng: np.random.Generator, rows: int = MOST_ROWS) -> Positions:
    """Return the positions of about ``rows`` rows of whole requests, ascending; of all where there are no more."""
    if len(frame) <= rows:
        return np.arange(len(frame))
    requests = int(numbers.max()) + 1
    chosen = choose(frame, numbers, max(1, requests * rows // len(frame)), rng)
    return np.flatnonzero(np.isin(numbers, chosen))


def _edge_cases(column: pd.Series) -> list[int]:
    nulls = column.isna().to_numpy()
    rows = [int(nulls.argmax())] if nulls.any() else []
    if nulls.all():
        return rows
    kind = getattr(column.dtype, "kind", "O")
    if kind in "iuf" and pd.api.types.is_numeric_dtype(column.dtype):
        numbers = column.to_numpy(dtype="float64", na_value=np.nan)
        if np.isnan(numbers).all():  # of Arrow's types NaN is no null
            return rows
        return [*rows, int(np.nanargmin(numbers)), int(np.nanargmax(numbers))]
    try:
        codes, values = pd.factorize(column)
    except (TypeError, NotImplementedError):  # lists and other cells without a hash, in Python or in Arrow
        return rows
    if 1 < len(values) <= FEW:
        rarest = np.bincount(codes[codes >= 0]).argmin()
        rows.append(int((codes == rarest).argmax()))
    return rows
