"""Columns of one frame that differ together: one that is computed from another differs where that one does.

A column follows another one if it differs in rows of that one alone, and if that is no chance: either those rows are
few, or the sizes of both differences go together. Two changes that have nothing to do with each other do neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from seatrial.parity.causes.change import ENOUGH
from seatrial.parity.causes.units import known_factor
from seatrial.parity.columns import Array, Column, sampled

ROWS = 4_000  # of a frame that are looked at
COLUMNS = 50  # that differ; of more than that none is said to follow another
CHANCE = 1e-6  # that rows which differ for another reason are all among those of one column
ALIKE = 0.98  # rank correlation of two differences that go together
POWERS = (-1.0, 2.0, -2.0, 0.5, -0.5)  # a factor of one column may stand in another so; the same is one cause anyway
FEW = 10  # rows, and distinct sizes, below which a correlation shows nothing


@dataclass(frozen=True)
class Sketch:
    """A column that differs, at some rows. ``named`` says whether a cause of its own is known."""

    column: str
    differs: Array
    expected: Array | None
    actual: Array | None
    named: bool

    def change(self, rows: Array) -> tuple[Array, Array] | None:
        """Return the differences at these rows, and the logarithms of the ratios; None for what is no number."""
        if self.expected is None or self.actual is None:
            return None
        e, a = self.expected[rows], self.actual[rows]
        with np.errstate(all="ignore"):
            return a - e, np.log(np.abs(a / e))


@dataclass
class Differing:
    """The columns of one comparison that differ, as they are met."""

    rows: int
    sketches: list[Sketch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sample = sampled(self.rows, ROWS)

    def add(self, name: str, expected: Column, actual: Column, changed: Array, *, named: bool) -> None:
        """Keep a sketch of a column that differs in the rows ``changed``."""
        if len(self.sketches) <= COLUMNS:
            at = np.isin(self._sample, changed, assume_unique=True)
            was, now = (_numbers(side.take(self._sample)) for side in (expected, actual))
            self.sketches.append(Sketch(name, at, was, now, named))

    def followers(self) -> dict[str, str]:
        """Return, by column, the one that it follows; that one follows none."""
        if not 1 < len(self.sketches) <= COLUMNS:
            return {}
        ranked = sorted(self.sketches, key=lambda s: (not s.named, -np.count_nonzero(s.differs)))
        leads: list[Sketch] = []
        found: dict[str, str] = {}
        for sketch in ranked:
            lead = next((lead for lead in leads if follows(sketch, lead)), None)
            if lead is None:
                leads.append(sketch)
            else:
                found[sketch.column] = lead.column
        return found


def follows(other: Sketch, lead: Sketch) -> bool:
    """Whether the differences of ``other`` follow those of ``lead``."""
    rows = np.flatnonzero(other.differs)
    if len(rows) < ENOUGH or not lead.differs[rows].all():
        return False
    by_chance = float(np.mean(lead.differs)) ** len(rows)
    if by_chance < CHANCE and not other.named:
        return True
    one, two = lead.change(rows), other.change(rows)
    return one is not None and two is not None and _go_together(one, two, named=other.named)


def _go_together(one: tuple[Array, Array], two: tuple[Array, Array], *, named: bool) -> bool:
    """Whether two changes, differences and logarithms of ratios, go together; ``named``: the second has a cause.

    A factor or an offset makes differences that follow the column itself, and so those of any column like it.
    """
    factors = [_constant(ratio) for _, ratio in (one, two)]
    if factors[0] is not None and factors[1] is not None:
        usual = any(known_factor(float(np.exp(abs(factor))), 1e-9) for factor in factors if factor is not None)
        return not usual and any(np.isclose(factors[1], power * factors[0], rtol=1e-6) for power in POWERS)
    offsets = [_constant(difference) for difference, _ in (one, two)]
    if offsets[0] is not None and offsets[1] is not None:
        return bool(np.isclose(offsets[0], -offsets[1], rtol=1e-6))
    if named and any(constant is not None for constant in (*factors, *offsets)):
        return False
    return any(abs(_correlation(x, y)) >= ALIKE for x in one for y in two)


def _constant(values: Array) -> float | None:
    """Return the one value of an array; None where it varies, or is not finite."""
    middle = float(np.median(values))
    return middle if np.isfinite(middle) and middle and np.allclose(values, middle, rtol=1e-6, atol=0) else None


def _correlation(x: Array, y: Array) -> float:
    """Return the rank correlation of two arrays (Spearman); 0 where they show none."""
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if min(len(np.unique(x)), len(np.unique(y))) < FEW:
        return 0.0
    ranks = [np.unique(v, return_inverse=True)[1].astype(np.float64) for v in (x, y)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _numbers(side: Column) -> Array | None:
    if side.kind not in ("number", "instant", "span") or getattr(side.values, "dtype", np.dtype("O")).kind in "bcO":
        return None
    values: Array = side.values.astype(np.float64)
    return values
