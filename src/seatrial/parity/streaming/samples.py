"""The cells of a column that set its scale, read from the files of its table, once in a process."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from seatrial.parity.columns import Array
from seatrial.parity.streaming.tables import Dataset

_MOST = 64  # columns that are remembered
_KNOWN: dict[tuple[str, str], pa.ChunkedArray] = {}


def sample_of(side: Dataset, name: str, positions: Array, token: str) -> pa.ChunkedArray:
    """Return some cells of one column, in the order of the table.

    Args:
        side: the table.
        name: the column.
        positions: of the cells, ascending.
        token: of the comparison; what was read for another one is forgotten, since files change.
    """
    if _KNOWN and next(iter(_KNOWN))[0] != token:
        _KNOWN.clear()
    if (token, name) in _KNOWN:
        return _KNOWN[token, name]
    taken, start = [], 0
    for batch in side.batches([name]):
        here = positions[slice(*np.searchsorted(positions, (start, start + batch.num_rows)))]
        taken.append(batch.column(0).take(pa.array(here - start)))
        start += batch.num_rows
    found = pa.chunked_array(taken, side.schema.field(name).type)
    if len(_KNOWN) < _MOST:
        _KNOWN[token, name] = found
    return found
