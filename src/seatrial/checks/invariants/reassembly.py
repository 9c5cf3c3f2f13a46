"""Concatenate a stage's answers to several batches, for a comparison with its answer to all rows at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

# The results of infer_dtype for cells that a type of this kind holds without a change of any value.
_HOLDS = {
    "f": {"floating", "integer", "mixed-integer-float", "empty"},
    "i": {"integer"},
    "u": {"integer"},
    "b": {"boolean"},
    "M": {"datetime64", "datetime", "empty"},
    "m": {"timedelta64", "timedelta", "empty"},
}


def expected_of(
    answer: pd.DataFrame, given: pd.DataFrame, key: str, rows: Sequence[Any], together: pd.DataFrame
) -> pd.DataFrame:
    """Return the part of ``answer`` (to all of ``given``) that the batches ``rows`` should reproduce.

    The key of the input selects the rows, where it has one. An input without it (raw payloads) is matched by position
    where the stage keeps every row and rows are missing, and otherwise by the keys returned in ``together``.
    """
    requested = np.concatenate(rows)
    if len(requested) == len(given):
        return answer
    if key in given.columns:
        return answer[answer[key].isin(given[key].iloc[requested])]
    returned = answer[key].isin(together[key])
    if len(answer) == len(given) and int(returned.sum()) < len(requested):
        return answer.iloc[np.sort(requested)]
    return answer[returned]


def assemble(pieces: Sequence[pd.DataFrame], whole: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Concatenate answers, in the types of ``whole`` where the cast changes no value.

    Pandas infers types from the rows of a batch: a column without nulls is int64 in one batch and float64 in another.
    Returns the frame, and the columns that were cast, each with both types as text.
    """
    names = list(dict.fromkeys(name for piece in pieces for name in piece.columns))
    columns, retyped = {}, {}
    for name in names:
        parts = [p[name] if name in p.columns else pd.Series([None] * len(p), dtype=object) for p in pieces]
        wanted = whole[name].dtype if name in whole.columns else None
        if wanted is not None and all(p.dtype == wanted for p in parts):
            columns[name] = pd.concat(parts, ignore_index=True)
            continue
        merged = pd.concat([p.astype(object) for p in parts], ignore_index=True)
        columns[name], cast = _cast(merged, wanted)
        if cast:
            other = next((str(p.dtype) for p in parts if str(p.dtype) != str(wanted)), "with other categories")
            retyped[str(name)] = f"{wanted}, {other}"
    return pd.DataFrame(columns), retyped


def _cast(merged: pd.Series, wanted: Any) -> tuple[pd.Series, bool]:
    """Return the cells as ``wanted`` and True, or in the type that suits them and False."""
    if wanted is None or wanted == np.dtype(object):
        return (merged.infer_objects() if wanted is None else merged), False
    if isinstance(wanted, pd.CategoricalDtype):
        within = (merged.isna() | merged.isin(wanted.categories)).all()
        return (merged.astype(wanted), True) if within else (merged, False)
    found = pd.api.types.infer_dtype(merged, skipna=True)
    allowed = {"string", "empty"} if isinstance(wanted, pd.StringDtype) else _HOLDS.get(wanted.kind, set())
    nullable = getattr(wanted, "na_value", None) is pd.NA
    if found in allowed or (nullable and found == "empty"):
        try:
            return merged.astype(wanted), True
        except (TypeError, ValueError):  # an integer type of numpy does not hold a null
            pass
    return merged.infer_objects(), False
