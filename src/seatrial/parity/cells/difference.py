"""Where two columns differ, and by how much."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from seatrial.parity.columns import Array

NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Place:
    """Where inside a cell the largest difference is: the row, the path in its cell, and how large it is.

    ``path`` is empty for the cell itself, else as in ``.boxes[2].score``. ``size`` is infinite where values cannot be
    subtracted.
    """

    row: int
    path: str
    size: float


@dataclass(frozen=True)
class Cells:
    """Where two columns differ.

    ``rows`` are the positions (ascending) at which both have a value and the values differ, ``flips`` those
    at which exactly one is null. ``diff`` is the signed difference actual - expected of ``rows``, in the
    column's unit (seconds for instants), None where cells cannot be subtracted. The maxima are over all
    cells, also those within the tolerance. ``worst`` is the place of the largest difference, for cells that hold
    other cells.
    """

    rows: Array = field(default_factory=lambda: NONE)
    flips: Array = field(default_factory=lambda: NONE)
    diff: Array | None = None
    max_abs: float = 0.0
    max_rel: float = 0.0
    worst: Place | None = None


SAME = Cells()


def place_of(cells: Cells) -> Place | None:
    """Return the place of the largest difference, a null on one side before all others; None where nothing differs."""
    if cells.worst is not None:
        return cells.worst
    if len(cells.flips):
        return Place(int(cells.flips[0]), "", np.inf)
    if not len(cells.rows):
        return None
    if cells.diff is None:
        return Place(int(cells.rows[0]), "", np.inf)
    size = np.nan_to_num(np.abs(cells.diff), nan=np.inf, posinf=np.inf)
    at = int(np.argmax(size))
    return Place(int(cells.rows[at]), "", float(size[at]))
