"""The list of frame operators, and the predicates on columns that they apply to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types as is_

EVERY = 10  # an operator that changes some rows changes every tenth

Change = Callable[..., pd.DataFrame]


@dataclass(frozen=True)
class FrameOperator:
    """A change of a frame, and the columns it applies to: a predicate on a column, or None for the whole frame.

    It is called with the frame and the column, for the whole frame with the frame and the key's columns; an operator
    with ``pairs`` also receives the next column of the same type.
    """

    name: str
    apply: Change
    fits: Callable[[pd.Series], bool] | None
    pairs: bool = False


OPERATORS: dict[str, FrameOperator] = {}


def operator(fits: Callable[[pd.Series], bool] | None = None, *, pairs: bool = False) -> Callable[[Change], Change]:
    """Register a function as an operator under its own name."""

    def register(function: Change) -> Change:
        OPERATORS[function.__name__] = FrameOperator(function.__name__, function, fits, pairs)
        return function

    return register


def is_decimal(column: pd.Series) -> bool:
    """Return whether an object column holds decimals."""
    return column.dtype == object and isinstance(first_of(column), Decimal)


def is_number(column: pd.Series) -> bool:
    """Return whether it holds numbers, decimals among them, and not booleans."""
    return bool(is_.is_numeric_dtype(column) and not is_.is_bool_dtype(column)) or is_decimal(column)


def is_measure(column: pd.Series) -> bool:
    """Return whether it holds numbers with a fraction."""
    return bool(is_.is_float_dtype(column)) or is_decimal(column)


def is_text(column: pd.Series) -> bool:
    """Return whether it holds text or categories of text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return is_text(pd.Series(column.cat.categories))
    return bool(is_.is_string_dtype(column)) and isinstance(first_of(column), str)


def is_flag(column: pd.Series) -> bool:
    """Return whether it holds booleans."""
    return bool(is_.is_bool_dtype(column))


def is_instant(column: pd.Series) -> bool:
    """Return whether it holds dates with times."""
    return bool(is_.is_datetime64_any_dtype(column))


def is_list(column: pd.Series) -> bool:
    """Return whether it holds lists."""
    return column.dtype == object and isinstance(first_of(column), list | np.ndarray)


def any_column(_: pd.Series) -> bool:
    """Every column but the key."""
    return True


def has_nulls(column: pd.Series) -> bool:
    """Whether some value is null."""
    return bool(column.isna().any())


def first_of(column: pd.Series) -> Any:
    """Return the first value that is not null, or None."""
    return next(iter(column.dropna()), None)


def every_tenth(frame: pd.DataFrame) -> np.ndarray:
    """Return which rows are the tenth, the twentieth and so on."""
    return np.asarray(np.arange(len(frame)) % EVERY == EVERY - 1)


def with_values(frame: pd.DataFrame, column: str, values: Any) -> pd.DataFrame:
    """Return the frame with other values in a column of the same type."""
    dtype = frame[column].dtype
    made = pd.Series(
        values, index=frame.index, dtype=object if dtype.kind == "O" and isinstance(dtype, np.dtype) else None
    )
    return frame.assign(**{column: made if made.dtype == dtype else made.astype(dtype)})
