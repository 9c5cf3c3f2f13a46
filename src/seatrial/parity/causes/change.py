"""What a cause is derived from: the differing cells of one column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np

from seatrial.parity.columns import TICKS, Array, Column, sampled

SAMPLE = 20_000  # differing rows looked at; a cause must explain 99 % of them
ENOUGH = 3  # differing rows below which no cause is named


@dataclass(frozen=True)
class Cause:
    """Why a column differs: a slug, and a sentence without cell values."""

    name: str
    detail: str


@dataclass(frozen=True)
class OtherColumns:
    """The columns of the expected frame at the aligned rows, for a cause that lies in another column."""

    names: Sequence[str] = ()
    rows: int = 0
    read: Callable[[str, Array], Column] | None = None

    def like(self, side: Column) -> list[str]:
        """Return the columns whose cells are those of ``side`` at a few rows."""
        return self._prints.get(_print(side.take(sampled(self.rows, 32))), [])

    @cached_property
    def _prints(self) -> dict[object, list[str]]:
        prints: dict[object, list[str]] = {}
        for name in self.names:
            assert self.read is not None
            prints.setdefault(_print(self.read(name, sampled(self.rows, 32))), []).append(name)
        return prints


def _print(cells: Column) -> object:
    if cells.kind in ("number", "instant", "span"):
        return cells.logical, cells.values.tobytes()
    return cells.logical, repr(cells.objects().tolist())


@dataclass(frozen=True)
class ColumnChange:
    """One column that differs: both sides, aligned, and the rows in which they part.

    ``rows`` are those where both have a value, ``flips`` those where one is null; both ascending positions.
    """

    column: str
    expected: Column
    actual: Column
    rows: Array
    flips: Array
    elsewhere: OtherColumns = field(default_factory=OtherColumns)

    @cached_property
    def values_tell(self) -> bool:
        """Enough rows differ in value, and nulls are not the story."""
        return len(self.rows) >= ENOUGH and len(self.flips) <= 0.01 * len(self.rows)

    @cached_property
    def sample(self) -> Array:
        """The differing rows that are looked at."""
        return cast(Array, self.rows[sampled(len(self.rows), SAMPLE)])

    @cached_property
    def sides(self) -> tuple[Column, Column]:
        """The expected and actual cells of the sample."""
        return self.expected.take(self.sample), self.actual.take(self.sample)

    @cached_property
    def numbers(self) -> tuple[Array, Array] | None:
        """The sample as float64, decimals too; None for anything but numbers, and for booleans."""
        e, a = self.sides
        if e.logical == a.logical == "decimal":
            return e.objects().astype(np.float64), a.objects().astype(np.float64)
        if e.kind != "number" or a.kind != "number" or "b" in (e.values.dtype.kind, a.values.dtype.kind):
            return None
        return e.values.astype(np.float64), a.values.astype(np.float64)

    @cached_property
    def seconds(self) -> tuple[Array, Array] | None:
        """The sample's distance actual - expected in seconds, and the expected instants; None for others."""
        e, a = self.sides
        if e.kind != "instant" or a.kind != "instant":
            return None
        if e.unit == a.unit:
            return (a.values - e.values) / TICKS[e.unit], e.values
        return np.round(a.values / TICKS[a.unit] - e.values / TICKS[e.unit], 6), e.values

    @cached_property
    def texts(self) -> tuple[list[str], list[str]] | None:
        """The sample as strings; None where either side holds anything else."""
        if not all(side.logical in ("string", "category[string]") for side in self.sides):
            return None
        e, a = (side.objects().tolist() for side in self.sides)
        return e, a

    @cached_property
    def precision(self) -> float:
        """The relative precision to which two computed numbers of this column can agree."""
        names = {self.expected.logical, self.actual.logical}
        return 1e-3 if "float16" in names else 1e-5 if "float32" in names else 1e-9

    def explains(self, hits: Array) -> bool:
        """Whether the rows that a cause explains, as a boolean array over the sample, are clearly enough."""
        return len(hits) >= ENOUGH and bool(np.count_nonzero(hits) >= 0.99 * len(hits))

    def count(self, hits: Array | None = None) -> str:
        """Return "312 of 5,000 rows": the rows explained, of all that were compared."""
        many = len(self.rows) + len(self.flips)
        if hits is not None:
            many = round(np.count_nonzero(hits) / len(hits) * len(self.rows))
        return f"{many:,} of {len(self.expected):,} rows"

    def close(self, x: Array, y: Array) -> Array:
        """Whether two computed numbers are the same to the column's precision."""
        near = np.abs(x - y) <= self.precision * np.maximum(np.abs(x), np.abs(y))
        return cast(Array, near & np.isfinite(x) & np.isfinite(y))  # infinity is near to everything


def distinct(values: Array, least: int) -> bool:
    """Whether an array holds at least so many different values."""
    return len(values) >= least and len(np.unique(values)) >= least
