"""What a cause is derived from: both sides of one column, the rows that differ, and rows that do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np

from seatrial.parity.columns import TICKS, Array, Column, sampled

SAMPLE = 20_000  # differing rows looked at, and as many that do not differ
ENOUGH = 3  # differing rows below which no cause is named
PART = 20  # differing rows below which a cause must hold in every row of the column


@dataclass(frozen=True)
class Cause:
    """Why a column differs: a slug, and a sentence without cell values.

    ``how`` is the sentence without its counts: columns with the same slug and the same ``how`` differ alike.
    """

    name: str
    detail: str
    how: str = ""


@dataclass(frozen=True)
class OtherColumns:
    """Further columns at the aligned rows, for a cause that lies in another column."""

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
    return cells.logical, tuple(map(identity, cells.objects().tolist()))


def identity(cell: object) -> str:
    """Return a text that is the same for the same cells alone.

    That of numpy for an array leaves out its middle, rounds its numbers, and takes longer than any comparison.
    """
    if isinstance(cell, (np.ndarray, np.generic)) and not cell.dtype.hasobject:
        return f"{cell.dtype.str}{cell.shape}{cell.tobytes().decode('latin-1')}"
    if isinstance(cell, np.ndarray):
        return f"{cell.shape}{identity(cell.ravel().tolist())}"
    if isinstance(cell, (list, tuple)) and any(isinstance(item, (np.ndarray, list, tuple)) for item in cell):
        return f"{type(cell).__name__}[{','.join(map(identity, cell))}]"
    return repr(cell)


@dataclass(frozen=True)
class ColumnChange:
    """One column that differs: both sides, aligned, and the rows in which they part.

    ``rows`` are those where both have a value, ``flips`` those where one is null; both ascending positions.
    ``elsewhere`` are the expected frame's columns; ``inputs`` returns where those of the stage's input are null.
    ``most`` rows of each kind are looked at, and a cause must explain ``least`` of those that differ.
    """

    column: str
    expected: Column
    actual: Column
    rows: Array
    flips: Array
    elsewhere: OtherColumns = field(default_factory=OtherColumns)
    inputs: Callable[[], Mapping[str, Array]] = dict
    most: int = SAMPLE
    least: float = 0.99

    @cached_property
    def values_tell(self) -> bool:
        """Enough rows differ in value, and nulls are not the story."""
        return len(self.rows) >= ENOUGH and len(self.flips) <= 0.01 * len(self.rows)

    @cached_property
    def sample(self) -> Array:
        """The differing rows that are looked at."""
        return cast(Array, self.rows[sampled(len(self.rows), self.most)])

    @cached_property
    def unchanged(self) -> Array:
        """Rows that do not differ and are not null, as many as are looked at of those that do."""
        some = sampled(len(self.expected), self.most)
        for others in (self.rows, self.flips):
            if len(others):
                near = others[np.minimum(np.searchsorted(others, some), len(others) - 1)]
                some = some[near != some]
        return some[~self.expected.take(some).is_null()]

    @cached_property
    def looked(self) -> Array:
        """The rows that are looked at: the differing ones first, then those that do not differ."""
        return np.append(self.sample, self.unchanged)

    @cached_property
    def sides(self) -> tuple[Column, Column]:
        """The expected and actual cells of the differing rows that are looked at."""
        return self.expected.take(self.sample), self.actual.take(self.sample)

    @cached_property
    def numbers(self) -> tuple[Array, Array] | None:
        """The rows looked at as float64, decimals too; None for anything but numbers, and for booleans."""
        e, a = self.expected.take(self.looked), self.actual.take(self.looked)
        if e.logical == a.logical == "decimal":
            return e.objects().astype(np.float64), a.objects().astype(np.float64)
        if e.kind != "number" or a.kind != "number" or {e.values.dtype.kind, a.values.dtype.kind} & {"b", "c"}:
            return None
        return e.values.astype(np.float64), a.values.astype(np.float64)

    @cached_property
    def seconds(self) -> Array | None:
        """How much later actual is in the differing rows looked at, in seconds; None for all but instants."""
        e, a = self.sides
        if e.kind != "instant" or a.kind != "instant":
            return None
        if e.unit == a.unit:
            return cast(Array, (a.values - e.values) / TICKS[e.unit])
        return cast(Array, np.round(a.values / TICKS[a.unit] - e.values / TICKS[e.unit], 6))

    @cached_property
    def texts(self) -> tuple[list[str], list[str]] | None:
        """The differing rows looked at as strings; None where either side holds anything else."""
        if not all(side.logical in ("string", "category[string]") for side in self.sides):
            return None
        e, a = (side.objects().tolist() for side in self.sides)
        return e, a

    @cached_property
    def precision(self) -> float:
        """The relative precision to which two computed numbers of this column can agree."""
        names = {self.expected.logical, self.actual.logical}
        if all(side.kind == "number" and side.values.dtype.kind in "iu" for side in (self.expected, self.actual)):
            return 0.0
        return 1e-3 if "float16" in names else 2e-6 if "float32" in names else 1e-9

    @cached_property
    def differing(self) -> int:
        """How many of the rows looked at differ; they come first."""
        return len(self.sample)

    def explains(self, hits: Array) -> bool:
        """Whether the rows that a cause explains, a boolean for each differing row looked at, are clearly enough."""
        return len(hits) >= ENOUGH and bool(np.count_nonzero(hits) >= self.least * len(hits))

    def holds(self, hits: Array) -> bool | None:
        """Whether a cause, a boolean for each row looked at, holds in the whole column.

        None where it explains the differing rows and would have changed others that are unchanged.
        """
        if not self.explains(hits[: self.differing]):
            return False
        return True if np.count_nonzero(hits[self.differing :]) >= self.least * len(self.unchanged) else None

    def cause(self, name: str, how: str, hits: Array | None = None, why: str = "") -> Cause:
        """Return a cause with the count of the rows that it explains; ``why`` follows after a colon."""
        many = len(self.rows) + len(self.flips)
        if hits is not None:
            seen = hits[: self.differing]
            many = round(np.count_nonzero(seen) / len(seen) * len(self.rows))
        why = f": {why}" if why else ""
        return Cause(name, f"{how} in {many:,} of {len(self.expected):,} rows{why}", f"{how}{why}")

    def close(self, x: Array, y: Array, scale: Array | float = 0.0) -> Array:
        """Whether two computed numbers are the same to the column's precision, of themselves or of ``scale``."""
        size = np.maximum(np.maximum(np.abs(x), np.abs(y)), scale)
        near = np.abs(x - y) <= self.precision * size
        return cast(Array, near & np.isfinite(x) & np.isfinite(y))  # infinity is near to everything


def distinct(values: Array, least: int) -> bool:
    """Whether an array holds at least so many different values."""
    return len(values) >= least and len(np.unique(values)) >= least
