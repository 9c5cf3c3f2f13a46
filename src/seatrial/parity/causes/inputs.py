"""Causes that lie in the stage's input: the rows that differ are those where a column of it is null."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from seatrial.parity.causes.change import Cause, ColumnChange
from seatrial.parity.columns import Array

CELLS = 50_000_000  # marks that are kept of all columns with nulls together, a byte each
CHANCE = 1e-6  # that rows which differ for another reason are all among the nulls of one column
TOLD = 0.9  # of the rows in which the input is null must differ: what is filled in may be right by chance


@dataclass(frozen=True)
class Inputs:
    """The input of a stage, brought to the rows that are compared when a cause first asks for it.

    ``keys`` returns the keys of those rows: a Series for one key column, a frame for several.
    """

    given: Callable[[], pd.DataFrame] | None
    key: Any
    keys: Callable[[], Any]

    def nulls(self) -> Mapping[str, Array]:
        """Return where each column that has nulls is null, at the compared rows; nothing where keys do not fit."""
        return self._nulls

    @cached_property
    def _nulls(self) -> dict[str, Array]:
        frame = self.given() if self.given is not None else pd.DataFrame()
        names = [self.key] if isinstance(self.key, str) else list(self.key)
        if not len(frame) or not set(names) <= set(frame.columns) or not frame.columns.is_unique:
            return {}
        found: dict[str, Array] = {}
        for name in frame.columns.difference(names, sort=False):
            null = np.asarray(frame[name].isna())
            if null.any() and len(null) * (len(found) + 1) <= CELLS:
                found[str(name)] = null
        rows = self._rows(frame[names]) if found else None
        return {} if rows is None else {name: null[rows] for name, null in found.items()}

    def _rows(self, keys: pd.DataFrame) -> Array | None:
        try:
            index = key_index(keys)
            rows = index.get_indexer(key_index(pd.DataFrame(self.keys()))) if index.is_unique else None
        except TypeError:  # keys that cannot be hashed, or not be told apart
            return None
        return None if rows is None or (rows < 0).any() else rows


def key_index(keys: pd.DataFrame) -> pd.Index:
    """Return the keys of rows as an index."""
    return pd.Index(keys.iloc[:, 0]) if keys.shape[1] == 1 else pd.MultiIndex.from_frame(keys)


def missing_input(change: ColumnChange) -> str:
    """Return the column of the input that is null in the rows that differ, and hardly in others; or nothing."""
    many = len(change.rows) + len(change.flips)
    if not many or many == len(change.expected) or not (nulls_of := change.inputs()):
        return ""
    differing = np.append(change.rows, change.flips)
    best, name = 0, ""
    for column, null in nulls_of.items():
        if not null[differing[:50]].all() or not null[differing].all():
            continue
        nulls = int(np.count_nonzero(null))
        by_chance = (nulls / len(null)) ** len(differing)
        if by_chance < CHANCE and len(differing) >= TOLD * nulls and (not name or nulls < best):
            best, name = nulls, column
    return name


def with_input(change: ColumnChange, cause: Cause | None) -> Cause | None:
    """Return the cause with the input that explains which rows differ; a cause of its own where there is none."""
    if cause is not None and cause.name not in ("default-fill", "null-handling"):
        return cause
    name = missing_input(change)
    if not name:
        return cause
    where = f"all of them rows in which '{name}' of the stage's input is null"
    if cause is None:
        return change.cause("imputation", "other values are filled in", why=where)
    return replace(cause, detail=f"{cause.detail}, {where}", how=f"{cause.how}, {where}")
