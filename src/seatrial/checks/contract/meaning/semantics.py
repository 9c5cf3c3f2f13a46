"""Find fields whose meaning changed, from two versions' answers to the same requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seatrial.formatting import number, part_of, plural
from seatrial.pipeline import key_columns

ROWS = 30  # the fewest rows with values on both sides from which a change is inferred
FLIPPED = -0.5  # two scores of one class correlate above it by rank; a class and its complement far below
MAX_LABELS = 20  # distinct texts up to which a column counts as labels
FACTORS = (1000, 100, 60, 1 / 60, 0.01, 0.001)
SPREAD = 0.1  # relative deviation from a factor within which half of the ratios lie


@dataclass(frozen=True)
class SemanticShift:
    """A field whose meaning changed.

    Attributes:
        column: its name.
        cause: a slug, as in ``Finding.cause``.
        detail: completes "Field 'x' …".
        certain: False where two versions of the same meaning can differ like this.
    """

    column: str
    cause: str
    detail: str
    certain: bool = True


def semantic_shifts(before: pd.DataFrame, after: pd.DataFrame, key: str | Sequence[str]) -> Iterator[SemanticShift]:
    """Yield the fields whose scale, order, labels or nulls changed.

    Args:
        before: the answers of the champion, one row for each key.
        after: the answers of the version under validation, one row for each key.
        key: the key columns.
    """
    names = list(key_columns(key))
    both = before.merge(after, on=names, how="inner", suffixes=("\x00before", ""), validate="one_to_one")
    for name in (str(c) for c in before.columns if c in after.columns and c not in names):
        old, new = both[f"{name}\x00before"], both[name]
        yield from _nulls(name, old, new)
        if _numeric(old) and _numeric(new):
            yield from _numbers(
                name, old.to_numpy("float64", na_value=np.nan), new.to_numpy("float64", na_value=np.nan)
            )
        elif _texts(old) and _texts(new):
            yield from _labels(name, old, new)


def _nulls(name: str, old: pd.Series, new: pd.Series) -> Iterator[SemanticShift]:
    was, now = int(old.isna().sum()), int(new.isna().sum())
    if not was and now:
        yield SemanticShift(
            name, "null-meaning", f"is null in {part_of(now, len(new), 'answers')}; it was never null.", certain=False
        )
    elif was >= ROWS and not now and new[old.isna()].nunique() == 1:
        yield SemanticShift(
            name,
            "null-meaning",
            f"was null in {plural(was, 'answer')}; all of these now have one value.",
            certain=False,
        )


def _numbers(name: str, old: np.ndarray, new: np.ndarray) -> Iterator[SemanticShift]:
    finite = np.isfinite(old) & np.isfinite(new)
    old, new = old[finite], new[finite]
    if len(old) < ROWS:
        return
    nonzero = (old != 0) & (new != 0)
    ratio = new[nonzero] / old[nonzero]
    if len(ratio) >= ROWS:
        for factor in FACTORS:
            low, high = np.quantile(ratio / factor, [0.25, 0.75])
            if low > 1 - SPREAD and high < 1 + SPREAD:
                yield SemanticShift(
                    name, "unit-factor", f"is {number(factor)} times its former value: the unit or the scale changed."
                )
                return
    unit_interval = old.min() >= 0 and old.max() <= 1
    if unit_interval and (new.max() > 1.5 or new.min() < -0.5):
        yield SemanticShift(
            name,
            "scale",
            "was between 0 and 1 and is not any more: it may be a percentage, or a score before its link function.",
        )
    if old.std() > 0 and new.std() > 0:
        ranks = np.corrcoef(pd.Series(old).rank(), pd.Series(new).rank())[0, 1]
        if ranks < FLIPPED:
            detail = f"is high where it was low (rank correlation {ranks:.2f}), as the score of the other class is."
            yield SemanticShift(name, "class-order", detail)


def _labels(name: str, old: pd.Series, new: pd.Series) -> Iterator[SemanticShift]:
    was, now = set(old.dropna()), set(new.dropna())
    if was and now and len(was) <= MAX_LABELS and len(old) >= ROWS and not was & now:
        yield SemanticShift(name, "labels", "has none of its former labels.")


def _numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)


def _texts(column: pd.Series) -> bool:
    return isinstance(next(iter(column.dropna()), None), str)
