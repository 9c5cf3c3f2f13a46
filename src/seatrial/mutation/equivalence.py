"""Whether two answers of a stage are the same bit by bit, and the keys of the rows in which they are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from seatrial.parity.cells import compare_columns
from seatrial.parity.reading import column
from seatrial.parity.tolerance import Tolerance, bounds

NOTHING = Tolerance(rtol=0.0, atol=0.0)
Answer: TypeAlias = "pd.DataFrame | str"  # a frame, or the name of the exception that came in its place


@dataclass(frozen=True)
class Unlike:
    """How two answers differ: in words, and the keys of the rows; no key where it is no row's doing."""

    what: str
    keys: Sequence[Any] = ()


def unlike(original: Answer, changed: Answer, key: str) -> Unlike | None:
    """Return how two answers differ, or None.

    They are alike when they have the same keys in the same order, the same columns in the same order, the same dtypes
    (categories and their order too), and in each cell the same bits; any NaN is like any other. The index is not
    looked at: no reference holds one.
    """
    if isinstance(original, str) or isinstance(changed, str):
        return _raised(original, changed)
    everyone = list(original[key])
    if told := _layout(original, changed):
        return Unlike(told, everyone)
    if lost := set(everyone) ^ set(changed[key]):
        return Unlike("the keys are others", sorted(lost, key=str))
    if everyone != list(changed[key]):
        return Unlike("the rows come in another order", everyone)
    rows: set[int] = set()
    columns = []
    for name in original.columns:
        if found := _cells(original[name], changed[name]):
            columns.append(f"'{name}'")
            rows |= found
    return Unlike(f"{', '.join(columns[:3])} differ", [everyone[r] for r in sorted(rows)]) if rows else None


def _raised(original: Answer, changed: Answer) -> Unlike | None:
    if isinstance(original, str) and isinstance(changed, str):
        return None
    return Unlike(f"it answers what raised {original}" if isinstance(original, str) else f"it raises {changed}")


def _layout(original: pd.DataFrame, changed: pd.DataFrame) -> str:
    before, after = list(original.columns), list(changed.columns)
    if before != after:
        return "the columns come in another order" if sorted(before) == sorted(after) else "the columns are others"
    for name in before:
        if not _same_dtype(original[name].dtype, changed[name].dtype):
            return f"'{name}' is {changed[name].dtype} instead of {original[name].dtype}"
    return ""


def _same_dtype(a: Any, b: Any) -> bool:
    if isinstance(a, pd.CategoricalDtype) and isinstance(b, pd.CategoricalDtype):
        return a.ordered == b.ordered and list(a.categories) == list(b.categories)
    return bool(a == b)


def _cells(original: pd.Series, changed: pd.Series) -> set[int]:
    a, b = column(original), column(changed)
    cells = compare_columns(a, b, bounds(NOTHING, a.logical, b.logical, 0.0), NOTHING)
    rows = {*cells.rows.tolist(), *cells.flips.tolist()}
    if original.dtype == object:
        pairs = zip(original, changed, strict=True)
        rows |= {n for n, (x, y) in enumerate(pairs) if type(x) is not type(y) or repr(x) != repr(y)}
    elif original.dtype.kind == "f":
        x, y = (s.to_numpy(dtype="float64", na_value=np.nan) for s in (original, changed))
        rows |= set(np.flatnonzero((np.signbit(x) != np.signbit(y)) & ~np.isnan(x)).tolist())
    return rows
