"""Whether two results of a stage are the same bit by bit, and the keys of the rows in which they are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from seatrial.parity.cells import compare_columns
from seatrial.parity.reading import column
from seatrial.parity.tolerance import Tolerance, bounds
from seatrial.pipeline import row_index

NO_TOLERANCE = Tolerance(rtol=0.0, atol=0.0)
StageResult: TypeAlias = "pd.DataFrame | str"  # a frame, or the name of the exception that the stage raised


@dataclass(frozen=True)
class ResultDifference:
    """How two results differ, and the keys of the differing rows; no keys where it concerns no single row."""

    what: str
    keys: Sequence[Any] = ()


def differing(original: StageResult, changed: StageResult, key: str | Sequence[str]) -> ResultDifference | None:
    """Return how two results differ, or None.

    They are equal when they have the same keys in the same order, the same columns in the same order, the same dtypes
    (categories and their order too), and in each cell the same bits; any NaN equals any other. The index is not
    compared: no reference holds one.
    """
    if isinstance(original, str) or isinstance(changed, str):
        return _raised(original, changed)
    keys = list(row_index(original, key))
    if what := _layout(original, changed):
        return ResultDifference(what, keys)
    after = list(row_index(changed, key))
    if other := set(keys) ^ set(after):
        return ResultDifference("the keys differ", sorted(other, key=str))
    if keys != after:
        return ResultDifference("the rows are in another order", keys)
    rows: set[int] = set()
    columns = []
    for name in original.columns:
        if found := _cells(original[name], changed[name]):
            columns.append(f"'{name}'")
            rows |= found
    return ResultDifference(f"{', '.join(columns[:3])} differ", [keys[r] for r in sorted(rows)]) if rows else None


def _raised(original: StageResult, changed: StageResult) -> ResultDifference | None:
    if isinstance(original, str) and isinstance(changed, str):
        return None
    if isinstance(original, str):
        return ResultDifference(f"it returns a frame where the original raises {original}")
    return ResultDifference(f"it raises {changed}")


def _layout(original: pd.DataFrame, changed: pd.DataFrame) -> str:
    before, after = list(original.columns), list(changed.columns)
    if before != after:
        return "the columns are in another order" if sorted(before) == sorted(after) else "the columns differ"
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
    cells = compare_columns(a, b, bounds(NO_TOLERANCE, a.logical, b.logical))
    rows = {*cells.rows.tolist(), *cells.flips.tolist()}
    if original.dtype == object:
        pairs = zip(original, changed, strict=True)
        rows |= {n for n, (x, y) in enumerate(pairs) if type(x) is not type(y) or repr(x) != repr(y)}
    elif original.dtype.kind == "f":
        x, y = (s.to_numpy(dtype="float64", na_value=np.nan) for s in (original, changed))
        rows |= set(np.flatnonzero((np.signbit(x) != np.signbit(y)) & ~np.isnan(x)).tolist())
    return rows
