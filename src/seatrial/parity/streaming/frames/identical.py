"""Whether a function that is given one frame or the other is given the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

BITS = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


def identical(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Return whether two frames are the same to the bit: columns, types, rows, their order and their index.

    Of cells whose bits cannot be told apart cheaply, such as lists, it says that they are not.

    Example:
        >>> frame = pd.DataFrame({"id": ["t-1", "t-2"], "x": [float("nan"), 0.0]})
        >>> identical(frame, frame.copy()), identical(frame, frame.assign(x=[float("nan"), -0.0]))
        (True, False)
    """
    if type(one) is not pd.DataFrame or type(other) is not pd.DataFrame:
        return False
    if one.columns.dtype != other.columns.dtype or not one.columns.equals(other.columns):
        return False
    if type(one.index) is not type(other.index) or one.index.names != other.index.names:
        return False
    if one.columns.names != other.columns.names or _steps(one.index) != _steps(other.index):
        return False
    if one.attrs or other.attrs or len(one) != len(other) or list(one.dtypes) != list(other.dtypes):
        return False
    pairs = [(one.iloc[:, at], other.iloc[:, at]) for at in range(one.shape[1])]
    if not isinstance(one.index, pd.RangeIndex):
        pairs += [(one.index.to_series(), other.index.to_series())]
    return all(_same(*pair) for pair in pairs)


def _steps(index: pd.Index) -> tuple[Any, ...]:
    """Return what an index has beside its labels, or in place of them."""
    if isinstance(index, pd.RangeIndex):
        return index.start, index.stop, index.step
    return (getattr(index, "freq", None),)


def _same(one: pd.Series, other: pd.Series) -> bool:
    kind = one.dtype
    if kind != other.dtype:
        return False
    if isinstance(kind, np.dtype) and kind.kind in "biufmM" and kind.itemsize in BITS:
        bits = BITS[kind.itemsize]
        return np.array_equal(one.to_numpy().view(bits), other.to_numpy().view(bits))
    if pd.api.types.is_object_dtype(kind):
        text = {*map(type, one), *map(type, other)} <= {str}
        return text and np.array_equal(one.to_numpy(), other.to_numpy())
    if isinstance(kind, pd.CategoricalDtype):  # whose types are equal with categories in another order
        return bool(one.cat.categories.equals(other.cat.categories) and one.array.equals(other.array))
    plain = isinstance(kind, pd.StringDtype | pd.DatetimeTZDtype) or kind.kind in "biu"
    return bool(plain and one.array.equals(other.array))
