"""Vectors that point the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seatrial.errors import PolicyError
from seatrial.parity.agreement.base import Source
from seatrial.parity.cells import Cells, Place, Rule, walked
from seatrial.parity.columns import Array, Column, of_arrow
from seatrial.parity.tolerance import check_share, is_number

BLOCK = 8_192  # vectors


@dataclass(frozen=True)
class Cosine:
    """Vectors are the same when the cosine of the angle between them is at least ``least``, whatever their length.

    For columns of vectors: lists or arrays of numbers, of any rank. Vectors of different shape differ; so do NaN and
    infinity from anything but themselves. Two vectors of zeros are the same, one alone differs.

    Args:
        least: the smallest cosine, above -1 and up to 1.
        share: the part of the rows (0 to 1) that may differ.

    Raises:
        PolicyError: a number out of range.

    Example:
        >>> Cosine(0.9999)
        Cosine(least=0.9999, share=0.0)
    """

    least: float
    share: float = 0.0

    def __post_init__(self) -> None:
        if not (is_number(self.least) and -1 < self.least <= 1):
            raise PolicyError(f"Cosine({self.least!r}): a cosine is a number above -1 and up to 1, such as 0.9999.")
        check_share(self.share)

    def rule(self, noise: float = 0.0) -> Rule:
        """Return what holds of one cell."""
        return Rule(noise=noise, apart=self._apart)

    def refusal(self, column: Column) -> str:
        """Return why it cannot apply to a column of the reference; the empty string where it can."""
        inner = column.logical.replace("list[", "").replace("array[", "").strip("]")
        nested = inner != column.logical.strip("]")
        numbers = inner.startswith(("int", "uint", "float", "complex", "null"))
        fits = column.logical in ("null", "object[mixed]") or (nested and numbers)
        return "" if fits else "Cosine applies to vectors: lists or arrays of numbers"

    def compare(self, expected: Column, actual: Column, noise: float, source: Source) -> Cells:
        """Return where two aligned columns differ."""
        null_e, null_a = expected.is_null(), actual.is_null()
        both, flips = np.flatnonzero(~(null_e | null_a)), np.flatnonzero(null_e != null_a)
        sides = [_matrix(side, both) for side in (expected, actual)]
        e, a = sides
        if e is None or a is None or e.shape != a.shape:
            return walked(expected, actual, self.rule(noise), both, flips, source)
        apart = np.concatenate([_apart(e[n : n + BLOCK], a[n : n + BLOCK]) for n in range(0, len(e), BLOCK)])
        differs = apart > self._allowed
        worst = Place(int(both[np.argmax(apart)]), "", float(apart.max())) if differs.any() else None
        return Cells(both[differs], flips, None, float(max(apart.max(initial=0.0), 0.0)), 0.0, worst)

    @property
    def _allowed(self) -> float:
        return 1 - self.least + 1e-15  # the rounding of 1 - cosine itself

    def _apart(self, x: Any, y: Any) -> float | None:
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if x.shape != y.shape:
            return float("inf")
        size = float(_apart(x.reshape(1, -1), y.reshape(1, -1))[0])
        return size if size > self._allowed else None


def _matrix(column: Column, rows: Array) -> Array | None:
    """Return the vectors as the rows of a matrix; None where they are not all of one length and of numbers."""
    if column.kind != "list" or not len(rows):
        return None
    lists = column.values if len(rows) == len(column) else column.take(rows).values
    numbers = of_arrow(lists.flatten())
    if numbers.kind != "number" or numbers.values.dtype.kind == "b" or len(numbers) % len(rows):
        return None
    sizes = np.diff(lists.offsets.to_numpy())
    return numbers.values.reshape(len(rows), -1) if (sizes == sizes[0]).all() else None


def _apart(e: Array, a: Array) -> Array:
    """Return one minus the cosine of each pair of rows; infinite where one alone is zero or not finite."""
    e, a = e.astype(np.float64), a.astype(np.float64)
    strange = ~(np.isfinite(e) & np.isfinite(a))
    unlike = np.zeros(len(e), dtype=bool)
    if strange.any():
        unlike = (strange & ~((e == a) | (np.isnan(e) & np.isnan(a)))).any(axis=1)
        e, a = np.where(strange, 0.0, e), np.where(strange, 0.0, a)
    with np.errstate(all="ignore"):
        scale_e, scale_a = (np.abs(side).max(axis=1, initial=0.0) for side in (e, a))
        e, a = e / np.where(scale_e, scale_e, 1)[:, None], a / np.where(scale_a, scale_a, 1)[:, None]  # no overflow
        lengths = np.sqrt(np.einsum("ij,ij->i", e, e) * np.einsum("ij,ij->i", a, a))
        apart = 1 - np.einsum("ij,ij->i", e, a) / lengths
    apart = np.where((scale_e == 0) & (scale_a == 0), 0.0, apart)
    return np.where(unlike | ((scale_e == 0) != (scale_a == 0)), np.inf, apart)
