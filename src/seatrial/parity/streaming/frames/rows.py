"""Rows of two tables that are kept while their partitions are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seatrial.parity.alignment import Alignment
from seatrial.parity.causes.inputs import key_index
from seatrial.parity.columns import Array
from seatrial.parity.streaming.frames.stack import stacked

NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Kept:
    """Rows that both tables have: their places, ascending, both sides, and the input where it is known."""

    at: Array
    expected: pd.DataFrame
    actual: pd.DataFrame
    given: pd.DataFrame | None

    def of(self, places: Array) -> Kept:
        """Return those at some places."""
        return self.take(np.flatnonzero(np.isin(self.at, places)))

    def take(self, rows: Array) -> Kept:
        """Return some of them."""
        given = None if self.given is None else self.given.iloc[rows]
        return Kept(self.at[rows], self.expected.iloc[rows], self.actual.iloc[rows], given)

    @classmethod
    def of_part(
        cls, which: Array, places: Array, rows: Alignment, sides: tuple[pd.DataFrame, pd.DataFrame],
        given: pd.DataFrame | None, key: tuple[str, ...],
    ) -> Kept:  # fmt: skip
        """Return some pairs of rows of a partition.

        Args:
            which: of its pairs.
            places: of all its pairs in the expected table.
            rows: which rows are pairs.
            sides: both frames.
            given: their input; its rows are kept where they have the same keys.
            key: the columns of the key.
        """
        at, to = (which if side is None else side[which] for side in (rows.expected, rows.actual))
        expected = sides[0].iloc[at]
        return cls(places[which], expected, sides[1].iloc[to], _inputs(given, expected, at, key))


def _inputs(given: pd.DataFrame | None, rows: pd.DataFrame, at: Array, key: tuple[str, ...]) -> pd.DataFrame | None:
    """Return the input of some rows, which are the rows ``at`` of their frame."""
    names = list(key)
    if given is None or not given.columns.is_unique or not set(names) <= set(given.columns):
        return None
    if at.max(initial=-1) < len(given):
        beside = given.iloc[at]
        if beside[names].reset_index(drop=True).equals(rows[names].reset_index(drop=True)):
            return beside
    try:
        index = key_index(given[names])
        found = index.get_indexer(key_index(rows[names])) if index.is_unique else np.array([-1])
    except TypeError:  # keys that cannot be hashed, or not be told apart
        return None
    return None if (found < 0).any() else given.iloc[found]


def mixed(places: Array) -> Array:
    """Return a number for each place that tells nothing of it: the finaliser of SplitMix64 (Steele et al., 2014)."""
    with np.errstate(over="ignore"):
        found = places.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(found ^ (found >> np.uint64(31)))


def smallest(places: Array, most: int) -> Array:
    """Return the places whose mixed values are smallest."""
    return places if len(places) <= most else places[np.argpartition(mixed(places), most)[:most]]


def together_of(kept: Sequence[Kept]) -> Kept | None:
    """Return all of them; None without any row."""
    filled = [k for k in kept if len(k.at)]
    if not filled:
        return None
    inputs = [k.given for k in filled if k.given is not None]
    return Kept(
        np.concatenate([k.at for k in filled]),
        stacked([k.expected for k in filled]),
        stacked([k.actual for k in filled]),
        stacked(inputs) if len(inputs) == len(filled) else None,
    )
