"""Rows that are kept of two tables: some of all, and of each column some that differ.

Which ones does not depend on the parts that the tables come in: those whose position, mixed, is smallest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from seatrial.parity.alignment import Alignment
from seatrial.parity.columns import Array
from seatrial.parity.streaming.parts import Part, places, rows_at

_MANY = 200_000  # rows that are held before those that are no longer wanted are dropped
_NONE = np.empty(0, dtype=np.int64)


@dataclass
class Kept:
    """Rows of both tables.

    Attributes:
        uniform: ascending positions in the expected table that are kept whatever is found there.
        each: how many differing rows of a column are kept.
        differing: by column, the positions of those.
        parts: the rows, as they came.
    """

    uniform: Array
    each: int
    differing: dict[str, Array] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()

    def add(self, part: Part, rows: Alignment, changed: dict[str, Array], worst: Sequence[int]) -> None:
        """Keep rows of a part.

        Args:
            part: the rows of both tables.
            rows: which of them belong together.
            changed: by column, which of these pairs differ.
            worst: places that are wanted besides, as far as this part has them.
        """
        at = part.at_expected if rows.expected is None else places(part.at_expected, rows.expected)
        wanted = [rows_at(at, self.uniform)]
        if worst:
            wanted.append(rows_at(at, _union(np.array(worst, dtype=np.int64))))
        for name, differing in changed.items():
            after = _smallest(np.append(self.differing.get(name, _NONE), places(at, differing)), self.each)
            self.differing[name] = after
            wanted.append(rows_at(at, np.sort(after)))
        pairs = _union(*wanted)
        if len(pairs):
            e = pairs if rows.expected is None else rows.expected[pairs]
            a = pairs if rows.actual is None else rows.actual[pairs]
            self.parts += (_taken(part, e, a),)
        self._trim(worst)

    def merge(self, other: Kept, worst: Sequence[int]) -> Kept:
        """Return what is kept of the parts of both; ``worst`` as for :meth:`add`."""
        differing = dict(self.differing)
        for name, positions in other.differing.items():
            differing[name] = _smallest(np.append(differing.get(name, _NONE), positions), self.each)
        both = Kept(self.uniform, self.each, differing, self.parts + other.parts)
        both._trim(worst)
        return both

    def trimmed(self, worst: Sequence[int]) -> Kept:
        """Return it without the rows that are no longer wanted."""
        wanted = _union(self.uniform, *self.differing.values(), np.array([*worst], dtype=np.int64))
        parts = [(part, rows_at(part.at_expected, wanted)) for part in self.parts]
        left = (part if len(at) == part.expected.num_rows else _taken(part, at, at) for part, at in parts if len(at))
        return replace(self, parts=tuple(left))

    def _trim(self, worst: Sequence[int]) -> None:
        if sum(part.expected.num_rows for part in self.parts) > _MANY:
            self.parts = self.trimmed(worst).parts

    def tables(self, *, uniform: bool = False) -> tuple[pa.Table, pa.Table] | None:
        """Return the rows of both sides, each in the order of its table; None without any.

        Args:
            uniform: only those that stand for all.
        """
        if not self.parts:
            return None
        tables = []
        for side, at in (("expected", "at_expected"), ("actual", "at_actual")):
            rows = pa.Table.from_batches([getattr(part, side) for part in self.parts])
            chosen = np.concatenate([part.at_expected for part in self.parts])
            places = np.concatenate([getattr(part, at) for part in self.parts])
            ascends = np.all(chosen[1:] > chosen[:-1])
            first = np.arange(len(chosen)) if ascends else np.unique(chosen, return_index=True)[1]
            if uniform:
                first = first[np.isin(chosen[first], self.uniform)]
            tables.append(rows.take(pa.array(first[np.argsort(places[first], kind="stable")])))
        return tables[0], tables[1]


def _taken(part: Part, e: Array, a: Array) -> Part:
    """Return some rows of the two sides of a part."""
    rows = part.expected.take(pa.array(e)), part.actual.take(pa.array(a))
    return Part(*rows, places(part.at_expected, e), places(part.at_actual, a))


def _union(*positions: Array) -> Array:
    """Return all of some positions once, ascending; they mostly are so, which np.unique makes nothing of."""
    together = np.sort(np.concatenate(positions), kind="stable")
    return together[np.append(True, together[1:] != together[:-1])] if len(together) else together


def _smallest(positions: Array, most: int) -> Array:
    """Return the positions whose mixed values are smallest."""
    if len(positions) <= most:
        return positions
    with np.errstate(over="ignore"):  # the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)
        mixed = positions.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return positions[np.argpartition(mixed, most)[:most]]
