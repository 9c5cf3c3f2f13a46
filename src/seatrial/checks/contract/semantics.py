"""Do the same fields still mean the same? Two versions' answers to the same requests, as far as numbers can show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

ROWS = 30  # with values on both sides, below which no order is claimed
FLIPPED = -0.5  # rank correlation of two scores of the same class is above; of a class and its rest far below
FEW = 20  # distinct texts up to which a column is taken for a set of labels
POWERS = (1000, 100, 60, 1 / 60, 0.01, 0.001)
SPREAD = 0.1  # of the ratio around a power, relative, for half of the rows


@dataclass(frozen=True)
class Shift:
    """A field whose meaning moved. ``sure`` where two versions of the same meaning cannot look like this."""

    column: str
    cause: str
    words: str
    sure: bool = True


def shifts(before: pd.DataFrame, after: pd.DataFrame, key: str) -> Iterator[Shift]:
    """Yield the fields whose scale, order, labels or nulls are another's: both frames have one row a ``key``."""
    both = before.merge(after, on=key, how="inner", suffixes=("\x00before", ""), validate="one_to_one")
    for name in (str(c) for c in before.columns if c in after.columns and c != key):
        old, new = both[f"{name}\x00before"], both[name]
        yield from _nulls(name, old, new)
        if _numeric(old) and _numeric(new):
            yield from _numbers(
                name, old.to_numpy("float64", na_value=np.nan), new.to_numpy("float64", na_value=np.nan)
            )
        elif _texts(old) and _texts(new):
            yield from _labels(name, old, new)


def _nulls(name: str, old: pd.Series, new: pd.Series) -> Iterator[Shift]:
    was, now = int(old.isna().sum()), int(new.isna().sum())
    if not was and now:
        yield Shift(name, "null-meaning", f"was never null and is in {now:,} of {len(new):,} answers.", sure=False)
    elif was >= ROWS and not now and new[old.isna()].nunique() == 1:
        yield Shift(name, "null-meaning", f"was null in {was:,} answers, which now share one value.", sure=False)


def _numbers(name: str, old: np.ndarray, new: np.ndarray) -> Iterator[Shift]:
    there = np.isfinite(old) & np.isfinite(new)
    old, new = old[there], new[there]
    if len(old) < ROWS:
        return
    nonzero = (old != 0) & (new != 0)
    ratio = new[nonzero] / old[nonzero]
    if len(ratio) >= ROWS:
        for power in POWERS:
            low, high = np.quantile(ratio / power, [0.25, 0.75])
            if low > 1 - SPREAD and high < 1 + SPREAD:
                yield Shift(name, "unit-factor", f"is {power:g} times what it was: the unit or the scale changed.")
                return
    share = old.min() >= 0 and old.max() <= 1
    if share and (new.max() > 1.5 or new.min() < -0.5):
        yield Shift(
            name, "scale", "lay between 0 and 1 and no longer does: percent, or a score before its link function."
        )
    if old.std() > 0 and new.std() > 0:
        ranks = np.corrcoef(pd.Series(old).rank(), pd.Series(new).rank())[0, 1]
        if ranks < FLIPPED:
            words = f"is high where it was low (rank correlation {ranks:.2f}): the score of the other class."
            yield Shift(name, "class-order", words)


def _labels(name: str, old: pd.Series, new: pd.Series) -> Iterator[Shift]:
    was, now = set(old.dropna()), set(new.dropna())
    if was and now and len(was) <= FEW and len(old) >= ROWS and not was & now:
        yield Shift(name, "labels", "has none of the labels that it had.")


def _numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)


def _texts(column: pd.Series) -> bool:
    return isinstance(next(iter(column.dropna()), None), str)
