"""Frame operators on numbers: units, signs, logarithms, precision, types."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types as is_

from seatrial.mutation.operators.base import (
    has_nulls,
    is_decimal,
    is_flag,
    is_instant,
    is_measure,
    is_number,
    operator,
    with_values,
)

MILES = 1.609344  # kilometres


def is_integer(column: pd.Series) -> bool:
    """Return whether its type is one of integers."""
    return bool(is_.is_integer_dtype(column))


@operator(is_number)
def times_1000(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """A unit a thousand times smaller: kilometres arrive as metres."""
    return with_values(frame, column, scaled(frame[column], 1000))


@operator(is_number)
def times_one_hundredth(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """A unit a hundred times larger: cents in place of the currency unit."""
    return with_values(frame, column, scaled(frame[column], 0.01))


@operator(is_measure)
def miles_for_kilometres(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Miles where training had kilometres."""
    return with_values(frame, column, scaled(frame[column], 1 / MILES))


@operator(is_number)
def negated(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The sign is the other one."""
    return with_values(frame, column, scaled(frame[column], -1))


@operator(is_measure)
def logarithm(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The logarithm of the value and one."""
    with np.errstate(all="ignore"):
        return frame.assign(**{column: np.log1p(frame[column].astype("float64"))})


@operator(is_number)
def clipped(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The smallest and the largest hundredth are cut to what bounds them."""
    known = frame[column].dropna()
    if not len(known):
        return frame
    low, high = np.sort(known.to_numpy(dtype=object))[[int(0.01 * (len(known) - 1)), int(0.99 * (len(known) - 1))]]
    return with_values(frame, column, frame[column].mask(frame[column] < low, low).mask(frame[column] > high, high))


@operator(is_measure)
def rounded(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Two decimals are kept."""
    two = [v if pd.isna(v) else round(v, 2) for v in frame[column]] if is_decimal(frame[column]) else None
    return with_values(frame, column, frame[column].round(2) if two is None else two)


@operator(is_measure)
def truncated(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The fraction is cut off."""
    whole = [v if pd.isna(v) else v.__trunc__() for v in frame[column]] if is_decimal(frame[column]) else None
    return with_values(
        frame, column, np.trunc(frame[column]) if whole is None else [w if pd.isna(w) else Decimal(w) for w in whole]
    )


@operator(is_number)
def through_float32(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The values pass through a column of float32 and come back in their own type."""
    if is_decimal(frame[column]):
        return with_values(frame, column, [v if pd.isna(v) else Decimal(float(np.float32(v))) for v in frame[column]])
    narrow = frame[column].astype("float32" if not has_nulls(frame[column]) else "Float32").astype("Float64")
    return with_values(frame, column, narrow.round() if is_integer(frame[column]) else narrow)


@operator(is_integer)
def through_float64(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Integers pass through a column of float64 and come back: beyond 2^53 they are others."""
    return with_values(frame, column, frame[column].astype("Float64"))


@operator(is_integer)
def integers_as_floats(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Integers stay float64."""
    return frame.assign(**{column: frame[column].astype("Float64").astype("float64")})


@operator(lambda c: is_number(c) or is_flag(c) or is_instant(c))
def as_text(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The values are text."""
    return frame.assign(**{column: frame[column].astype("string")})


def scaled(column: pd.Series, factor: float) -> Any:
    """Return the values times a factor, integers rounded."""
    if is_decimal(column):
        return [v if pd.isna(v) else v * Decimal(str(factor)) for v in column]
    made = column * factor
    return made.round() if is_integer(column) else made
