"""Columns read strictly as numbers, and columns looked up by key in what the reference recorded."""

from __future__ import annotations

import decimal
import numbers as abstract
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from seatrial.metrics import Array, Codes
from seatrial.trial import Trial


def numbers(column: pd.Series) -> Array:
    """Return a column as float64: NaN for null, and for a cell that is no number, such as text or a time."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    kind = getattr(column.dtype, "kind", "O")
    if kind in "biuf" and pd.api.types.is_numeric_dtype(column.dtype):
        values: Array = column.to_numpy(dtype="float64", na_value=np.nan)
        return values
    if kind != "O" or not pd.api.types.is_object_dtype(column.dtype):
        values = np.full(len(column), np.nan)
        if pd.api.types.is_numeric_dtype(column.dtype) and kind != "c":  # such as decimals of Arrow
            values = pd.to_numeric(column, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
        return values
    return np.fromiter(map(_number, column), dtype="float64", count=len(column))


def _number(cell: Any) -> float:
    try:
        return float(cell) if isinstance(cell, abstract.Real | decimal.Decimal | np.bool_) else np.nan
    except (OverflowError, ValueError):
        return np.nan


def kind_of(column: pd.Series) -> str:
    """Return what a column holds, in a word for messages."""
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    words = {"string": "text", "floating": "numbers", "integer": "integers", "boolean": "true and false"}
    return words.get(inferred, f"{inferred} values" if inferred not in ("empty", "mixed") else "values of mixed types")


class Lookup:
    """Positions of keys in frames; keys may have one column or several."""

    def __init__(self, trial: Trial, stage: str, keys: pd.DataFrame) -> None:
        self._trial = trial
        self._stage = stage
        self._keys = keys

    def frames(self, *, labels: bool = False) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield where a column may be, the nearest first: the stage, earlier ones, the requests."""
        reference, names = self._trial.reference, self._trial.pipeline.stages
        if labels and reference.labels is not None:
            yield "labels", reference.labels
        for name in reversed(names[: names.index(self._stage) + 1]):
            yield name, reference.frame(name)
        yield "requests", reference.requests

    def find(self, column: str, *, labels: bool = False) -> pd.Series | None:
        """Return a column for the keys in their order, null where a key is missing; None where no frame has it."""
        for _, frame in self.frames(labels=labels):
            if column in frame.columns and (on := [c for c in self._keys.columns if c in frame.columns]):
                at = positions(frame, self._keys, on)
                found: pd.Series = frame[column].astype(object).iloc[np.maximum(at, 0)].reset_index(drop=True)
                return found.where(at >= 0, None) if len(frame) else None
        return None

    def known(self, *, labels: bool = False) -> list[str]:
        """Return the columns that can be looked up."""
        return list(dict.fromkeys(str(c) for _, f in self.frames(labels=labels) for c in f.columns))


def positions(frame: pd.DataFrame, keys: pd.DataFrame, on: Sequence[str]) -> Codes:
    """Return the position in ``frame`` of each row of ``keys``, by the columns ``on``; -1 where it is missing."""
    there, wanted = _index(frame, on), _index(keys, on)
    if there.is_unique:
        at: Codes = there.get_indexer(wanted)
        return at
    first = ~there.duplicated()
    of_first: Codes = np.append(np.flatnonzero(first), -1)
    found: Codes = of_first[there[first].get_indexer(wanted)]
    return found


def _index(frame: pd.DataFrame, on: Sequence[str]) -> pd.Index:
    return pd.Index(frame[on[0]]) if len(on) == 1 else pd.MultiIndex.from_frame(frame[list(on)])


def texts(values: pd.Series) -> pd.Series:
    """Return values as text; null is ``null``."""
    codes, unique = pd.factorize(values)
    words = np.array([*(str(u) for u in unique), "null"], dtype=object)
    return pd.Series(words[codes])
