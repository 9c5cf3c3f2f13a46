"""The key columns of two frames, and what the rows are called by them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from seatrial.errors import PipelineError, nearest
from seatrial.parity.alignment import Alignment
from seatrial.parity.columns import Array, Column
from seatrial.parity.reading import column
from seatrial.parity.result import KeySet

SAMPLE = 5  # keys named where only some can be
BETWEEN = " / "  # the values of a key of several columns


def key_names(key: str | Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a key, also of one that is a single name."""
    return (key,) if isinstance(key, str) else tuple(key)


def read_keys(frame: pd.DataFrame, names: Sequence[str], which: str) -> list[Column]:
    """Return the key columns of a frame, which is called ``which`` in messages.

    Raises:
        PipelineError: it lacks one, has two columns of one name, or holds cells that cannot name a row.
    """
    repeated = frame.columns[frame.columns.duplicated()].unique()
    if len(repeated):
        listed = ", ".join(f"'{label}'" for label in repeated)
        raise PipelineError(
            f"The {which} frame has more than one column named {listed}. A name must stand for one column."
        )
    for name in names:
        if name not in frame.columns:
            listed = ", ".join(str(label) for label in frame.columns) or "none"
            close = nearest(name, [str(label) for label in frame.columns])
            indexed = " It is the index: use reset_index()." if name in frame.index.names else ""
            raise PipelineError(f"The {which} frame has no key column '{name}'. Columns: {listed}.{close}{indexed}")
    found = [column(frame[name]) for name in names]
    for name, read in zip(names, found, strict=True):
        if read.kind == "list" or (read.kind == "object" and not _hashable(read.values)):
            raise PipelineError(
                f"Key column '{name}' of the {which} frame holds {read.logical}, which cannot name a row. Name rows by "
                "numbers, text or times."
            )
    return found


def names_of(keys: Sequence[Column], rows: Array, taken: Array | None = None) -> tuple[str, ...]:
    """Return the rows by their keys, as text; ``taken`` are the positions that ``rows`` count in."""
    at = (rows if taken is None else taken[rows]).astype(np.int64)
    if not len(at):
        return ()
    cells = [read.take(at).objects() for read in keys]
    return tuple(BETWEEN.join(map(str, row)) for row in zip(*cells, strict=True))


def key_set(keys: Sequence[Column], rows: Array) -> KeySet:
    """Return how many rows, and the keys of the first of them."""
    return KeySet(len(rows), names_of(keys, rows[:SAMPLE]))


def duplicates(expected: Sequence[Column], actual: Sequence[Column], rows: Alignment) -> KeySet:
    """Return the rows whose key occurs before, of both frames, and the first keys."""
    named = names_of(actual, rows.duplicates_actual[:SAMPLE]) or names_of(expected, rows.duplicates_expected[:SAMPLE])
    count = len(rows.duplicates_expected) + len(rows.duplicates_actual)
    return KeySet(count, tuple(dict.fromkeys(named)))


def _hashable(cells: Array) -> bool:
    return not any(isinstance(cell, list | dict | set | np.ndarray) for cell in cells)
