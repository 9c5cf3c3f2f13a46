"""Which rows of a frame belong to one request. Whoever cuts a frame into parts cuts it between requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import PipelineError

Positions = np.ndarray[Any, np.dtype[np.int64]]
"""Positions of rows in a frame, from 0, ascending."""


def key_columns(key: str | Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a key, also of one that is a single name.

    Example:
        >>> key_columns("id"), key_columns(["user_id", "asked_at"])
        (('id',), ('user_id', 'asked_at'))
    """
    return (key,) if isinstance(key, str) else tuple(key)


def request_numbers(frame: pd.DataFrame, key: str | Sequence[str]) -> Positions:
    """Return the number of each row's request, counted from 0 in order of first appearance.

    Rows whose key is equal in all columns are of one request. A row with a null in its key is a request of its own,
    and so is every row of a frame that lacks a key column, such as raw requests that a stage has yet to parse.

    Args:
        frame: any frame, in any order of rows.
        key: the columns that name a request: ``pipeline.key_of()``.

    Raises:
        PipelineError: a key column holds values that cannot name a row, such as lists.

    Example:
        >>> frame = pd.DataFrame({"id": ["b", "a", "b"]})
        >>> request_numbers(frame, "id").tolist()
        [0, 1, 0]
    """
    names = key_columns(key)
    if not all(name in frame.columns for name in names):
        return np.arange(len(frame))
    numbers, nulls = np.zeros(len(frame), dtype=np.int64), np.zeros(len(frame), dtype=bool)
    for name in names:
        codes, count = _codes(frame[name])
        nulls |= codes < 0
        # Dense again after each column, so that the product stays below rows squared.
        numbers = pd.factorize(numbers * (count + 1) + codes)[0].astype(np.int64, copy=False)
    if nulls.any():
        numbers[nulls] = len(frame) + np.arange(int(nulls.sum()))
        numbers = pd.factorize(numbers)[0].astype(np.int64, copy=False)
    return numbers


def requests_of(frame: pd.DataFrame, key: str | Sequence[str]) -> list[Positions]:
    """Return the positions of the rows of each request, the requests in order of first appearance.

    Args:
        frame: any frame, in any order of rows.
        key: the columns that name a request: ``pipeline.key_of()``.

    Raises:
        PipelineError: a key column holds values that cannot name a row, such as lists.

    Example:
        >>> frame = pd.DataFrame({"id": ["b", "a", "b"]})
        >>> [rows.tolist() for rows in requests_of(frame, "id")]
        [[0, 2], [1]]
    """
    return batches_of(frame, key, 1)


def batches_of(frame: pd.DataFrame, key: str | Sequence[str], size: int) -> list[Positions]:
    """Return the positions of the rows of each batch of ``size`` requests; the last batch may be smaller.

    No request is parted. A batch keeps its rows in the order of the frame.

    Raises:
        PipelineError: a key column holds values that cannot name a row, such as lists.

    Example:
        >>> frame = pd.DataFrame({"id": ["b", "a", "b", "c"]})
        >>> [rows.tolist() for rows in batches_of(frame, "id", 2)]
        [[0, 1, 2], [3]]
    """
    if not len(frame):
        return []
    batch = request_numbers(frame, key) // size
    order = np.argsort(batch, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(batch[order])) + 1)


def row_index(frame: pd.DataFrame, key: str | Sequence[str]) -> pd.Index:
    """Return the keys of a frame's rows as an index: plain values of one column, tuples of several.

    Example:
        >>> frame = pd.DataFrame({"id": ["b", "a"], "item": [1, 2]})
        >>> list(row_index(frame, "id")), list(row_index(frame, ("id", "item")))
        (['b', 'a'], [('b', 1), ('a', 2)])
    """
    names = list(key_columns(key))
    return pd.Index(frame[names[0]]) if len(names) == 1 else pd.MultiIndex.from_frame(frame[names])


def _codes(column: pd.Series) -> tuple[Positions, int]:
    """Return a number for each distinct value, -1 for null, and how many there are."""
    try:
        codes, values = pd.factorize(column)
    except (TypeError, NotImplementedError) as error:  # cells without a hash, in Python or in Arrow
        cell = next((c for c in column if isinstance(c, list | dict | set | np.ndarray)), None)
        held = "values" if cell is None else f"cells of type {type(cell).__name__}"
        raise PipelineError(
            f"Key column '{column.name}' holds {held} that cannot name a row. Name rows by numbers, text or times."
        ) from error
    return codes.astype(np.int64, copy=False), len(values)
