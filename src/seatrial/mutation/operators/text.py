"""Frame operators on text, flags, times and lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from seatrial.mutation.operators.base import is_flag, is_instant, is_list, is_text, operator, with_values


@operator(is_text)
def renamed_category(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The most frequent value is spelled otherwise."""
    often = frame[column].mode().iloc[0]
    return text_changed(frame, column, lambda v: f"{v}_" if v == often else v)


@operator(is_text)
def merged_category(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The least frequent value is counted to the most frequent one."""
    counts = frame[column].value_counts()
    counts = counts[counts > 0]
    return text_changed(frame, column, lambda v: counts.index[0] if v == counts.index[-1] else v)


@operator(lambda c: isinstance(c.dtype, pd.CategoricalDtype) and len(c.cat.categories) > 1)
def permuted_categories(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The values are the same and the categories come in the opposite order: a model that reads codes sees others."""
    values = frame[column]
    return frame.assign(**{column: values.cat.reorder_categories(values.cat.categories[::-1])})


@operator(is_text)
def other_case(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Upper case becomes lower case and the reverse."""
    return text_changed(frame, column, str.swapcase)


@operator(is_text)
def trailing_blank(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """A blank stands after each value."""
    return text_changed(frame, column, lambda v: f"{v} ")


@operator(is_text)
def lost_leading_zeros(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Codes of digits pass through integers."""
    return text_changed(frame, column, lambda v: str(int(v)) if v.isascii() and v.isdigit() else v)


@operator(is_flag)
def inverted(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """True is false."""
    return frame.assign(**{column: ~frame[column]})


@operator(is_instant)
def hour_later(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Times of another time zone, or of summer time."""
    return frame.assign(**{column: frame[column] + pd.Timedelta(hours=1)})


@operator(is_instant)
def dates_only(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The time of day is lost."""
    return frame.assign(**{column: frame[column].dt.normalize()})


@operator(lambda c: is_instant(c) and c.dt.tz is not None)
def lost_time_zone(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The same clock, without the zone."""
    return frame.assign(**{column: frame[column].dt.tz_localize(None)})


@operator(is_list)
def reversed_lists(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The elements come in the opposite order."""
    return with_values(frame, column, [v[::-1] if isinstance(v, list | np.ndarray) else v for v in frame[column]])


@operator(is_list)
def shortened_lists(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The last element is lost."""
    return with_values(frame, column, [v[:-1] if isinstance(v, list | np.ndarray) else v for v in frame[column]])


def text_changed(frame: pd.DataFrame, column: str, change: Callable[[str], str]) -> pd.DataFrame:
    """Change every text of a column; a category's values are renamed."""
    values = frame[column]
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return with_values(frame, column, [v if pd.isna(v) else change(v) for v in values])
    renamed: Mapping[str, str] = {v: change(v) for v in values.cat.categories}
    plain: Sequence[Any] = [renamed.get(v) for v in values]
    categories = pd.CategoricalDtype(list(dict.fromkeys(renamed.values())), ordered=values.cat.ordered)
    return frame.assign(**{column: pd.Series(plain, index=frame.index, dtype=object).astype(categories)})
