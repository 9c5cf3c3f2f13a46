"""Whether a stage was given a frame as it is read from a file, which is what a replay of that stage alone gives it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from seatrial.io import arrow
from seatrial.pipeline import Returned

FEWEST_ROWS = 1_000  # for fewer a stage is as soon run again


def handed_as_stored(returned: Returned) -> bool:
    """Return whether nothing is lost of what a stage returned when its frame is written and read again.

    Its class, flags, index, attributes and the name of its columns do not cross. Of few rows, and of cells that are
    neither numbers nor times nor text, it says that something may be lost.

    Example:
        >>> frame = pd.DataFrame({"id": [f"t-{n}" for n in range(2_000)], "x": 0.5})
        >>> handed_as_stored(Returned(frame, frame))
        True
        >>> indexed = frame.set_index("id", drop=False)
        >>> handed_as_stored(Returned(indexed, indexed))
        False
    """
    frame = returned.given
    if type(frame) is not pd.DataFrame or frame is not returned.frame or len(frame) < FEWEST_ROWS:
        return False
    if frame.attrs or not frame.flags.allows_duplicate_labels or vars(frame).keys() != vars(pd.DataFrame()).keys():
        return False
    index, names = frame.index, frame.columns
    if type(index) is not pd.RangeIndex or (index.start, index.step, index.name) != (0, 1, None):
        return False
    if type(names) is not pd.Index or names.name is not None or not names.is_unique or set(map(type, names)) != {str}:
        return False
    if not all(_is_plain(column) for _, column in frame.items()):
        return False
    read = arrow.from_table(arrow.to_table(frame.head(0), "a frame"), "a frame")
    return read.columns.dtype == names.dtype and all(map(_same_type, read.dtypes, frame.dtypes))


def _same_type(read: Any, handed: Any) -> bool:
    """Whether two types are the same, that of their time zones too: UTC has several, which are equal."""
    if isinstance(read, pd.DatetimeTZDtype) and isinstance(handed, pd.DatetimeTZDtype):
        return read == handed and type(read.tz) is type(handed.tz) and str(read.tz) == str(handed.tz)
    return bool(read == handed)


def _is_plain(column: pd.Series) -> bool:
    """Whether cells are what their type says, and text is that of ``str`` and no class of its own."""
    kind = column.dtype
    if isinstance(kind, np.dtype):
        number = kind.kind in "biufmM" and kind.itemsize <= 8
        return number or (kind.kind == "O" and set(map(type, column)) == {str})
    if isinstance(kind, pd.StringDtype):
        return kind.storage == "pyarrow" or set(map(type, column.dropna())) <= {str}
    return isinstance(kind, pd.DatetimeTZDtype)
