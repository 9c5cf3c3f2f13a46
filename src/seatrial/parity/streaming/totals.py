"""What the parts of a comparison add up to: counts, maxima, and the rows that differ most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from seatrial.parity.alignment import Alignment
from seatrial.parity.cells import Cells
from seatrial.parity.columns import Array, Column
from seatrial.parity.keys import SAMPLE, names_of
from seatrial.parity.result import Direction, KeySet
from seatrial.parity.streaming.parts import places


class Worst(NamedTuple):
    """A row that differs, and how much: the smallest tuples differ most."""

    flip: bool
    less: float
    position: int
    key: str
    path: str


@dataclass
class ColumnTotal:
    """What was found of one column in all parts so far."""

    mismatches: int = 0
    flips: int = 0
    higher: int = 0
    signed: bool = True
    max_abs: float = 0.0
    max_rel: float = 0.0
    worst: list[Worst] = field(default_factory=list)

    def add(self, cells: Cells, keys: Sequence[Column], rows: Array | None, at: Array | range, most: int) -> None:
        """Add a part.

        Args:
            cells: where it differs.
            keys: of its expected side.
            rows: the rows of that side that ``cells`` count in; None where they are all.
            at: where all its rows are in the table.
            most: how many rows to keep that differ most.
        """
        self.mismatches += len(cells.rows)
        self.flips += len(cells.flips)
        self.max_abs, self.max_rel = max(self.max_abs, cells.max_abs), max(self.max_rel, cells.max_rel)
        if cells.diff is not None:
            self.higher += int(np.count_nonzero(cells.diff > 0))
        elif len(cells.rows):
            self.signed = False
        found = [*_largest(cells, most), *((True, 0.0, row, "") for row in cells.flips[:most])]
        if found:
            chosen = np.array([row for *_, row, _ in found])
            where = places(at, chosen if rows is None else rows[chosen]).tolist()
            named = zip(found, where, names_of(keys, chosen, rows), strict=True)
            new = [Worst(flip, -size, place, name, path) for (flip, size, _, path), place, name in named]
            self.worst = sorted([*self.worst, *new])[:most]

    @property
    def direction(self) -> Direction:
        """Where at least 99 % of the mismatches went."""
        if not self.signed or not self.mismatches:
            return ""
        if self.higher >= 0.99 * self.mismatches:
            return "higher"
        return "lower" if self.higher <= 0.01 * self.mismatches else "mixed"


@dataclass
class KeyTotal:
    """How many rows of a kind there are, and the first of them."""

    count: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)

    def add(self, keys: Sequence[Column], rows: Array, at: Array | range) -> None:
        """Add rows of a part; ``at`` is where all its rows are in the table."""
        self.count += len(rows)
        if len(rows):
            new = zip(places(at, rows[:SAMPLE]).tolist(), names_of(keys, rows[:SAMPLE]), strict=True)
            self.first = sorted([*self.first, *new])[:SAMPLE]

    @property
    def keys(self) -> KeySet:
        """The count, and the first keys."""
        return KeySet(self.count, tuple(name for _, name in self.first))


@dataclass
class RowTotal:
    """Which rows of the two tables belong to each other, in all parts so far."""

    compared: int = 0
    missing: KeyTotal = field(default_factory=KeyTotal)
    extra: KeyTotal = field(default_factory=KeyTotal)
    repeated_expected: KeyTotal = field(default_factory=KeyTotal)
    repeated_actual: KeyTotal = field(default_factory=KeyTotal)
    nulls_expected: int = 0
    nulls_actual: int = 0

    def add(
        self, rows: Alignment, compared: int, keys: tuple[Sequence[Column], Sequence[Column]],
        at: tuple[Array | range, Array | range],
    ) -> None:  # fmt: skip
        """Add a part: which rows were brought together, the keys of both sides, and their positions."""
        self.compared += compared
        self.missing.add(keys[0], rows.missing, at[0])
        self.extra.add(keys[1], rows.extra, at[1])
        self.repeated_expected.add(keys[0], rows.duplicates_expected, at[0])
        self.repeated_actual.add(keys[1], rows.duplicates_actual, at[1])
        self.nulls_expected += len(rows.nulls_expected)
        self.nulls_actual += len(rows.nulls_actual)

    @property
    def repeated(self) -> KeySet:
        """The rows whose key occurs before, of both tables."""
        count = self.repeated_expected.count + self.repeated_actual.count
        named = self.repeated_actual.keys.sample or self.repeated_expected.keys.sample
        return KeySet(count, tuple(dict.fromkeys(named)))


def _largest(cells: Cells, most: int) -> list[tuple[bool, float, int, str]]:
    """Return the rows whose values differ most, each with its size, its row in the part and the path in its cell."""
    rows = cells.rows
    if not len(rows) or not most:
        return []
    if cells.diff is None:
        worst = cells.worst
        others = rows if worst is None else rows[rows != worst.row]
        found = [] if worst is None else [(False, worst.size, worst.row, worst.path)]
        return [*found, *((False, -1.0, int(at), "") for at in others[: most - len(found)])]
    sizes = np.nan_to_num(np.abs(cells.diff), nan=np.inf, posinf=np.inf)
    if len(rows) > most:
        limit = np.partition(sizes, len(rows) - most)[len(rows) - most]
        rows, sizes = rows[sizes >= limit], sizes[sizes >= limit]
    first = np.argsort(-sizes, kind="stable")[:most]
    path = cells.worst.path if cells.worst is not None else ""
    return [
        (False, float(sizes[n]), int(rows[n]), path if cells.worst is not None and rows[n] == cells.worst.row else "")
        for n in first
    ]
