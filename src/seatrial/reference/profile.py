"""The profile of a frame: per column the figures a person looks at first, in one pass and without scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from seatrial.parity.reading import column as read

QUANTILES = np.linspace(0, 1, 21)
TOP = 20


def profile(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return for each column: its type, rows, nulls, distinct values, and numbers or most common values by its type."""
    return {str(name): _column(frame[name]) for name in frame.columns}


def _column(column: pd.Series) -> dict[str, Any]:  # noqa: PLR0911  one return a kind
    known = column.dropna()
    facts: dict[str, Any] = {
        "type": read(column).logical,
        "rows": len(column),
        "nulls": int(len(column) - len(known)),
    }
    if column.dtype == object and any(isinstance(cell, bytes | bytearray) for cell in known):
        return facts | _lengths(known)  # images and the like: their text is long, and tells nothing
    try:
        facts["distinct"] = int(known.nunique())
    except (TypeError, NotImplementedError):  # lists and mappings cannot be hashed
        return facts | _lengths(known)
    if pd.api.types.is_complex_dtype(known):
        return facts
    if pd.api.types.is_bool_dtype(known):
        return facts | {"true": int(known.astype(bool).sum())}
    if pd.api.types.is_numeric_dtype(known):
        return facts | _numbers(known)
    if pd.api.types.is_datetime64_any_dtype(known):
        return facts | {"min": str(known.min()), "max": str(known.max())} if len(known) else facts
    try:
        texts = known.astype(str)
    except ValueError:  # bytes in a column of Arrow's
        return facts | _lengths(known)
    counts = texts.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return facts | {"top": {str(value): int(count) for value, count in counts.head(TOP).items()}}


def _lengths(known: pd.Series) -> dict[str, Any]:
    sized = [len(cell) for cell in known if hasattr(cell, "__len__") and getattr(cell, "shape", True) != ()]
    return {"lengths": _numbers(pd.Series(sized, dtype="float64"))} if len(sized) == len(known) else {}


def _numbers(column: pd.Series) -> dict[str, Any]:
    values = column.to_numpy(dtype="float64", na_value=np.nan)
    values = values[np.isfinite(values)]
    if not len(values):
        return {}
    with np.errstate(over="ignore", invalid="ignore"):
        moments = {"mean": float(values.mean()), "std": float(values.std())}
    known = {name: value for name, value in moments.items() if np.isfinite(value)}  # sums of huge values overflow
    return known | {"quantiles": [float(q) for q in np.quantile(values, QUANTILES, method="nearest")]}
