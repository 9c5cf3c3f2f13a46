"""Lists of numbers as JSON carries them, and Arrow's own times as pandas holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def is_list(kind: Any) -> bool:
    """Whether an Arrow type is one of lists of numbers, of any depth."""
    import pyarrow.types as kinds

    depth = 0
    while kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        kind, depth = kind.value_type, depth + 1
    return depth > 0 and (kinds.is_floating(kind) or kinds.is_integer(kind))


def is_time(kind: Any) -> bool:
    """Whether an Arrow type is a timestamp, a date, or a duration."""
    import pyarrow.types as kinds

    return bool(kinds.is_timestamp(kind) or kinds.is_date(kind) or kinds.is_duration(kind))


def as_pandas(column: pd.Series) -> pd.Series:
    """Return a column that Arrow holds as pandas would: instants, durations, and dates as Python's own."""
    import pyarrow as pa

    return pd.Series(pa.array(column.array).to_pandas().set_axis(column.index), index=column.index)


def of_numbers(column: pd.Series, cells: list[Any]) -> pd.Series | None:
    """Return the cells of a column as Arrow lists of its own numbers; None where it holds anything else.

    Args:
        column: of lists or arrays, whose numbers have a width that JSON does not tell.
        cells: the same, as JSON has them: what is not finite is null.
    """
    import pyarrow as pa

    if isinstance(column.dtype, pd.ArrowDtype):
        kind = column.dtype.pyarrow_dtype
    else:
        known = column[column.notna()]
        if not isinstance(next(iter(known), None), (list, tuple, np.ndarray)):
            return None
        try:
            kind = pa.array(known, from_pandas=True).type
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return None
    return as_arrow(cells, kind) if is_list(kind) else None


def as_arrow(cells: list[Any], kind: Any) -> pd.Series:
    """Return lists of numbers as Arrow holds them; a whole number is a float there, and 2.0 is an integer.

    Raises:
        ValueError, TypeError: a cell holds anything else, or digits that the type does not have.
    """
    import pyarrow as pa

    found = pa.array(cells, from_pandas=True)  # of the type that the cells have: as one given, 1.5 would become 1
    if not (is_list(found.type) or _is_empty(found.type)):
        raise TypeError(f"{found.type} is no list of numbers")
    return pd.Series(pd.arrays.ArrowExtensionArray(found.cast(kind)))


def _is_empty(kind: Any) -> bool:
    import pyarrow.types as kinds

    while kinds.is_list(kind):
        kind = kind.value_type
    return bool(kinds.is_null(kind))
