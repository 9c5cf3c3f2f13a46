"""Where two columns differ, and by how much."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from seatrial.parity.columns import Array

NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Cells:
    """Where two columns differ.

    ``rows`` are the positions (ascending) at which both have a value and the values differ, ``flips`` those
    at which exactly one is null. ``diff`` is the signed difference actual - expected of ``rows``, in the
    column's unit (seconds for instants), None where cells cannot be subtracted. The maxima are over all
    cells, also those within the tolerance.
    """

    rows: Array = field(default_factory=lambda: NONE)
    flips: Array = field(default_factory=lambda: NONE)
    diff: Array | None = None
    max_abs: float = 0.0
    max_rel: float = 0.0


SAME = Cells()
