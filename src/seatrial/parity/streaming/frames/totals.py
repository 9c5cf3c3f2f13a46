"""What the partitions of two tables add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from seatrial.parity.columns import Array, Column
from seatrial.parity.keys import SAMPLE
from seatrial.parity.logical import is_same_type
from seatrial.parity.result import KeySet, RowOrder
from seatrial.parity.streaming.frames.rows import NONE, Kept, smallest, together_of
from seatrial.parity.streaming.totals import ColumnTotal, RowTotal

MANY = 60_000  # differing rows that are held before those that are no longer wanted are dropped
NO = ColumnTotal()
WORST = 5  # keys named for a column
SHOWN = 20  # rows of one side only that are kept


@dataclass(frozen=True)
class Types:
    """The types of a column on both sides, and whether they are the same; of no rows nothing is known."""

    expected: str
    actual: str
    ok: bool
    known: bool

    @classmethod
    def of(cls, expected: Column, actual: Column) -> Types:
        """Return the types of two columns."""
        known = len(expected) > 0 and len(actual) > 0
        return cls(expected.logical, actual.logical, is_same_type(expected, actual) or not known, known)

    def merge(self, other: Types) -> Types:
        """Return those that tell more: that differ, else that are known."""
        return self if not self.ok or (other.ok and (self.known or not other.known)) else other


@dataclass
class FrameTotals:
    """What was found in some partitions of two tables.

    Attributes:
        each: how many differing rows of a column are kept.
        missing: columns that the actual table lacks in some partition.
        extra: columns that it has beside those expected, in some partition.
        differing: by column, the places of some rows that differ: those whose mixed places are smallest.
        uniform: rows that stand for all.
        chosen: rows that differ.
        lost: the first rows of the expected table that the actual one lacks.
        new: the first rows that it has beside those.
    """

    each: int
    rows: RowTotal
    key_types: tuple[Types, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    column_order_ok: bool
    row_order_ok: bool
    order: RowOrder
    columns: dict[str, ColumnTotal] = field(default_factory=dict)
    types: dict[str, Types] = field(default_factory=dict)
    differing: dict[str, Array] = field(default_factory=dict)
    uniform: list[Kept] = field(default_factory=list)
    chosen: list[Kept] = field(default_factory=list)
    lost: list[pd.DataFrame] = field(default_factory=list)
    new: list[pd.DataFrame] = field(default_factory=list)

    def merge(self, other: FrameTotals) -> FrameTotals:
        """Return what was found in both; the partitions of ``other`` come after."""
        names = dict.fromkeys([*self.columns, *other.columns])
        found = FrameTotals(
            each=self.each,
            rows=self.rows.merge(other.rows),
            key_types=tuple(a.merge(b) for a, b in zip(self.key_types, other.key_types, strict=True)),
            missing=tuple(dict.fromkeys([*self.missing, *other.missing])),
            extra=tuple(dict.fromkeys([*self.extra, *other.extra])),
            column_order_ok=self.column_order_ok and other.column_order_ok,
            row_order_ok=self.row_order_ok and other.row_order_ok,
            order=_order(self.order, other.order),
            columns={n: self.columns.get(n, NO).merge(other.columns.get(n, NO), WORST) for n in names},
            types={**self.types, **{n: self.types.get(n, t).merge(t) for n, t in other.types.items()}},
            differing={
                n: smallest(np.append(self.differing.get(n, NONE), other.differing.get(n, NONE)), self.each)
                for n in {**self.differing, **other.differing}
            },
            uniform=[*self.uniform, *other.uniform],
            chosen=[*self.chosen, *other.chosen],
            lost=_first(self.lost, other.lost),
            new=_first(self.new, other.new),
        )  # fmt: skip
        if sum(len(k.at) for k in found.chosen) > MANY:
            wanted = found.wanted()
            found.chosen = [k.of(wanted) for k in found.chosen]
        return found

    def wanted(self) -> Array:
        """Return the places of the rows that differ and are kept."""
        worst = np.array([at for total in self.columns.values() for at in total.named], dtype=np.int64)
        return np.unique(np.concatenate([*self.differing.values(), worst]))

    def sample(self) -> Kept | None:
        """Return the rows that stand for all; None without any."""
        return together_of(self.uniform)

    def every(self) -> Kept | None:
        """Return all rows that are kept, in the order of the table; None without any."""
        wanted = self.wanted()
        kept = together_of([*self.uniform, *(k.of(wanted) for k in self.chosen)])
        return None if kept is None else kept.take(np.unique(kept.at, return_index=True)[1])


def _first(one: Sequence[pd.DataFrame], other: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    return [*one, *other] if sum(map(len, one)) < SHOWN else [*one]


def _order(one: RowOrder, other: RowOrder) -> RowOrder:
    """Return the order of both: of whole frames, each partition in its own order."""
    moved = [order for order in (one, other) if order.moved.count]
    if len(moved) < 2:
        requests = max(one.requests, other.requests) if one.whole else one.requests + other.requests
        return replace(moved[0] if moved else one, requests=requests)
    count = 1 if one.whole else one.moved.count + other.moved.count
    names = KeySet(count, (*one.moved.sample, *other.moved.sample)[:SAMPLE])
    both = replace(one, requests=1 if one.whole else one.requests + other.requests, moved=names)
    same = (one.sorted_by, one.was, one.now) == (other.sorted_by, other.was, other.now)
    return both if same else replace(both, sorted_by="", was="", now="")
