"""Frame operators on rows and whole columns: lost, duplicated, moved, renamed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seatrial.mutation.operators.base import (
    EVERY,
    any_column,
    every_tenth,
    has_nulls,
    is_decimal,
    is_flag,
    is_list,
    is_number,
    operator,
    with_values,
)
from seatrial.worker.frames import INDEX

OFFSET = 1_000_000  # beyond the rows of a frame


@operator()
def dropped_rows(frame: pd.DataFrame, *_: str) -> pd.DataFrame:
    """Every tenth row is lost."""
    return frame[np.arange(len(frame)) % EVERY != EVERY - 1].reset_index(drop=True)


@operator()
def duplicated_row(frame: pd.DataFrame, *_: str) -> pd.DataFrame:
    """The first row comes twice."""
    return pd.concat([frame, frame.iloc[:1]], ignore_index=True)


@operator()
def shifted_rows(frame: pd.DataFrame, *key: str) -> pd.DataFrame:
    """Every row has the values of the row before: keys and values were put together by position."""
    moved = frame.iloc[np.roll(np.arange(len(frame)), 1)].reset_index(drop=True)
    return moved.assign(**{name: frame[name].array for name in key})[list(frame.columns)]


@operator()
def shuffled_rows(frame: pd.DataFrame, *_: str) -> pd.DataFrame:
    """The rows come in another order, each whole."""
    return frame.iloc[np.random.default_rng(0).permutation(len(frame))].reset_index(drop=True)


@operator()
def shuffled_index(frame: pd.DataFrame, *_: str) -> pd.DataFrame:
    """The rows keep their order, and their index labels are another one's: what aligns by label mixes rows up."""
    return _labelled(frame, np.random.default_rng(0).permutation(len(frame)))


@operator()
def duplicated_index(frame: pd.DataFrame, *_: str) -> pd.DataFrame:
    """Every two rows share an index label, as after frames were put together without a new index."""
    return _labelled(frame, np.arange(len(frame)) // 2)


@operator()
def offset_index(frame: pd.DataFrame, *_: str) -> pd.DataFrame:
    """The index begins elsewhere, as after rows were filtered: what is put beside it by position aligns with none."""
    return _labelled(frame, np.arange(len(frame)) + OFFSET)


def _labelled(frame: pd.DataFrame, labels: np.ndarray) -> pd.DataFrame:
    made = frame.set_axis(labels, axis=0)
    made.attrs[INDEX] = True  # the next stage gets it, wherever it runs
    return made


@operator()
def reordered_columns(frame: pd.DataFrame, *_: str) -> pd.DataFrame:
    """The columns come in another order, each whole."""
    return frame[list(frame.columns[::-1])]


@operator(has_nulls)
def dropped_nulls(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rows in which the column is null are lost."""
    return frame.dropna(subset=[column]).reset_index(drop=True)


@operator(any_column)
def missing_column(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The column is lost."""
    return frame.drop(columns=column)


@operator(any_column)
def renamed_column(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The column has another name."""
    return frame.rename(columns={column: f"{column}_"})


@operator(any_column, pairs=True)
def swapped_columns(frame: pd.DataFrame, column: str, other: str) -> pd.DataFrame:
    """The column and the next one of its type have each other's values."""
    return frame.assign(**{column: frame[other], other: frame[column]})


@operator(any_column)
def stale_values(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Every tenth row still has the value of the row before."""
    return with_values(frame, column, frame[column].where(~every_tenth(frame), frame[column].shift(1)))


@operator(any_column)
def shifted_values(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Every row has the column's value of the row before."""
    return with_values(frame, column, frame[column].array[np.roll(np.arange(len(frame)), 1)])


@operator(any_column)
def lost_values(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Every tenth value is null."""
    kept = frame[column].astype("boolean") if is_flag(frame[column]) else frame[column]
    return frame.assign(**{column: kept.mask(every_tenth(frame))})


@operator(has_nulls)
def default_fill(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Nulls are filled: with 0, false, an empty list, or the most frequent value."""
    known = frame[column].dropna()
    if not len(known):
        return frame
    if is_list(known):
        return with_values(frame, column, [v if isinstance(v, list | np.ndarray) else [] for v in frame[column]])
    zero = 0 if is_number(known) and not is_decimal(known) else known.mode().iloc[0]
    return with_values(frame, column, frame[column].fillna(zero))
