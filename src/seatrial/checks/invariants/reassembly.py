"""Concatenate a stage's answers to several batches, for a comparison with its answer to all rows at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def rows_of(frame: pd.DataFrame, keys: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Return the rows of ``frame`` whose request, named by the columns ``key``, is one of ``keys``."""
    return frame[request_keys(frame, key).isin(request_keys(keys, key))]


def names_requests(given: pd.DataFrame, answer: pd.DataFrame, key: Sequence[str]) -> bool:
    """Whether the requests of the input bear the keys of the answer: raw payloads have none, others are cast."""
    if not all(column in given.columns for column in key):
        return False
    return bool(request_keys(answer, key).isin(request_keys(given, key)).all())


def request_keys(frame: pd.DataFrame, key: Sequence[str]) -> pd.Index:
    """Return the key of each row's request."""
    return pd.Index(frame[key[0]]) if len(key) == 1 else pd.MultiIndex.from_frame(frame[list(key)])


def expected_of(
    answer: pd.DataFrame,
    given: pd.DataFrame,
    key: Sequence[str],
    rows: Sequence[Any],
    again: Callable[[Any], pd.DataFrame],
) -> pd.DataFrame:
    """Return the part of ``answer`` (to all of ``given``) that the batches ``rows`` should reproduce.

    It follows from the requests that were asked, never from what came back: a row that is lost must be missed. Where
    the input does not name its requests (raw payloads), the same rows in one batch tell their keys.

    Args:
        answer: the answer to all of ``given`` in one batch.
        given: the input.
        key: the columns that name a request.
        rows: the positions in ``given`` of each batch.
        again: returns the answer to some positions in one batch.
    """
    asked = np.unique(np.concatenate(rows))
    if len(asked) == len(given):
        return answer
    if names_requests(given, answer, key):
        return rows_of(answer, given.iloc[asked], key)
    expected = rows_of(answer, again(asked), key)
    if len(answer) == len(given) and len(expected) < len(asked):  # it keeps every row, and lost some of these
        return answer.iloc[asked]
    return expected


def assemble(pieces: Sequence[pd.DataFrame], whole: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Concatenate answers, in the types of ``whole`` where the cast changes no value.

    Pandas infers types from the rows of a batch: a column without nulls is int64 in one batch and float64 in another.
    Returns the frame, and the columns that were cast, each with both types as text.
    """
    types = list(whole.dtypes)
    if pieces and all(p.columns.equals(whole.columns) and list(p.dtypes) == types for p in pieces):
        return pd.concat(pieces, ignore_index=True), {}
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
