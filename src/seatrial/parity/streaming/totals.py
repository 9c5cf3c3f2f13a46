"""What the parts of a comparison add up to: counts, maxima, and the rows that differ most.

Whatever the order in which parts are merged, and however they are grouped, the sum is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seatrial.parity.alignment import Alignment
from seatrial.parity.cells import Cells
from seatrial.parity.columns import Array, Column
from seatrial.parity.keys import SAMPLE, names_of
from seatrial.parity.result import Direction, KeySet
from seatrial.parity.streaming.parts import Part, places


class Worst(NamedTuple):
    """A row that differs, and how much: the smallest tuples differ most, those with a place in the cell first."""

    whole: bool
    less: float
    position: int
    key: str
    path: str


@dataclass(frozen=True)
class ColumnTotal:
    """What was found of one column in some parts.

    Attributes:
        mismatches: rows whose values differ.
        flips: rows of which one side is null.
        higher: mismatches whose actual value is the larger one.
        signed: all values that differ can be subtracted.
        max_abs: the largest difference of all rows.
        max_rel: the largest relative one.
        largest: the rows whose values differ most, of those that have a size.
        first: the first rows whose values differ.
        flipped: the first rows of which one side is null.
    """

    mismatches: int = 0
    flips: int = 0
    higher: int = 0
    signed: bool = True
    max_abs: float = 0.0
    max_rel: float = 0.0
    largest: tuple[Worst, ...] = ()
    first: tuple[Worst, ...] = ()
    flipped: tuple[Worst, ...] = ()

    @classmethod
    def of(
        cls, cells: Cells, keys: Sequence[Column], rows: Array | None, at: Array | range, most: int
    ) -> ColumnTotal:  # fmt: skip
        """Return what was found in one part.

        Args:
            cells: where it differs.
            keys: of its expected side.
            rows: the rows of that side that ``cells`` count in; None where they are all.
            at: where all its rows are in the table.
            most: how many rows of a kind are named.
        """

        def named(found: Sequence[tuple[float, int, str]]) -> tuple[Worst, ...]:
            if not found:
                return ()
            chosen = np.array([row for _, row, _ in found])
            where = places(at, chosen if rows is None else rows[chosen]).tolist()
            zipped = zip(found, where, names_of(keys, chosen, rows), strict=True)
            return tuple(Worst(not path, -size, place, name, path) for (size, _, path), place, name in zipped)

        return cls(
            mismatches=len(cells.rows),
            flips=len(cells.flips),
            higher=0 if cells.diff is None else int(np.count_nonzero(cells.diff > 0)),
            signed=cells.diff is not None or not len(cells.rows),
            max_abs=cells.max_abs,
            max_rel=cells.max_rel,
            largest=named(_largest(cells, most)),
            first=named([(0.0, int(row), "") for row in cells.rows[:most]]),
            flipped=named([(0.0, int(row), "") for row in cells.flips[:most]]),
        )

    def merge(self, other: ColumnTotal, most: int) -> ColumnTotal:
        """Return what was found in the parts of both."""
        return ColumnTotal(
            mismatches=self.mismatches + other.mismatches,
            flips=self.flips + other.flips,
            higher=self.higher + other.higher,
            signed=self.signed and other.signed,
            max_abs=max(self.max_abs, other.max_abs),
            max_rel=max(self.max_rel, other.max_rel),
            largest=tuple(sorted(self.largest + other.largest)[:most]),
            first=tuple(sorted(self.first + other.first)[:most]),
            flipped=tuple(sorted(self.flipped + other.flipped)[:most]),
        )

    def worst(self, most: int) -> tuple[Worst, ...]:
        """Return the rows that differ most: by size where all have one, else the largest and the first; then nulls."""
        found = self.largest
        if not self.signed:
            top = self.largest[:1]
            found = top + tuple(row for row in self.first if row.position not in {t.position for t in top})
        return (found[:most] + self.flipped)[:most]

    @property
    def named(self) -> list[int]:
        """The positions of all rows that may be among the worst, once further parts are added."""
        return [row.position for row in self.largest + self.first + self.flipped]

    @property
    def direction(self) -> Direction:
        """Where at least 99 % of the mismatches went."""
        if not self.signed or not self.mismatches:
            return ""
        if self.higher >= 0.99 * self.mismatches:
            return "higher"
        return "lower" if self.higher <= 0.01 * self.mismatches else "mixed"


@dataclass(frozen=True)
class KeyTotal:
    """How many rows of a kind there are, and the first of them."""

    count: int = 0
    first: tuple[tuple[int, str], ...] = ()

    @classmethod
    def of(cls, keys: Sequence[Column], rows: Array, at: Array | range) -> KeyTotal:
        """Return those of a part; ``at`` is where all its rows are in the table."""
        if not len(rows):
            return cls()
        named = zip(places(at, rows[:SAMPLE]).tolist(), names_of(keys, rows[:SAMPLE]), strict=True)
        return cls(len(rows), tuple(named))

    def merge(self, other: KeyTotal) -> KeyTotal:
        """Return those of both."""
        return KeyTotal(self.count + other.count, tuple(sorted(self.first + other.first)[:SAMPLE]))

    @property
    def keys(self) -> KeySet:
        """The count, and the first keys."""
        return KeySet(self.count, tuple(name for _, name in self.first))


@dataclass(frozen=True)
class RowTotal:
    """Which rows of the two tables belong to each other, in some parts."""

    expected: int = 0
    actual: int = 0
    compared: int = 0
    missing: KeyTotal = KeyTotal()
    extra: KeyTotal = KeyTotal()
    repeated_expected: KeyTotal = KeyTotal()
    repeated_actual: KeyTotal = KeyTotal()
    nulls_expected: int = 0
    nulls_actual: int = 0

    @classmethod
    def of(cls, part: Part, rows: Alignment, keys: tuple[Sequence[Column], Sequence[Column]]) -> RowTotal:
        """Return those of a part: which of its rows were brought together, and the keys of both sides."""
        return cls(
            expected=part.expected.num_rows,
            actual=part.actual.num_rows,
            compared=part.expected.num_rows if rows.expected is None else len(rows.expected),
            missing=KeyTotal.of(keys[0], rows.missing, part.at_expected),
            extra=KeyTotal.of(keys[1], rows.extra, part.at_actual),
            repeated_expected=KeyTotal.of(keys[0], rows.duplicates_expected, part.at_expected),
            repeated_actual=KeyTotal.of(keys[1], rows.duplicates_actual, part.at_actual),
            nulls_expected=len(rows.nulls_expected),
            nulls_actual=len(rows.nulls_actual),
        )

    def merge(self, other: RowTotal) -> RowTotal:
        """Return those of both."""
        return RowTotal(
            expected=self.expected + other.expected,
            actual=self.actual + other.actual,
            compared=self.compared + other.compared,
            missing=self.missing.merge(other.missing),
            extra=self.extra.merge(other.extra),
            repeated_expected=self.repeated_expected.merge(other.repeated_expected),
            repeated_actual=self.repeated_actual.merge(other.repeated_actual),
            nulls_expected=self.nulls_expected + other.nulls_expected,
            nulls_actual=self.nulls_actual + other.nulls_actual,
        )

    @property
    def repeated(self) -> KeySet:
        """The rows whose key occurs before, of both tables."""
        count = self.repeated_expected.count + self.repeated_actual.count
        named = self.repeated_actual.keys.sample or self.repeated_expected.keys.sample
        return KeySet(count, tuple(dict.fromkeys(named)))


def _largest(cells: Cells, most: int) -> list[tuple[float, int, str]]:
    """Return the rows whose values differ most, each with its size, its row in the part and the path in its cell."""
    rows, worst = cells.rows, cells.worst
    if not len(rows) or not most:
        return []
    if cells.diff is None:
        return [] if worst is None else [(worst.size, worst.row, worst.path)]
    sizes = np.nan_to_num(np.abs(cells.diff), nan=np.inf, posinf=np.inf)
    if len(rows) > most:
        limit = np.partition(sizes, len(rows) - most)[len(rows) - most]
        rows, sizes = rows[sizes >= limit], sizes[sizes >= limit]
    first = np.argsort(-sizes, kind="stable")[:most]
    inside = {worst.row: worst.path} if worst is not None else {}
    return [(float(sizes[n]), int(rows[n]), inside.get(int(rows[n]), "")) for n in first]
