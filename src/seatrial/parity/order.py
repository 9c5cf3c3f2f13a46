"""The order of rows: within each request, or of the whole frame where a request has one row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import lgamma, log
from typing import Literal

import numpy as np
import pandas as pd

from seatrial.parity.alignment import Alignment, numbers_of
from seatrial.parity.columns import NAT, Array, Column
from seatrial.parity.keys import SAMPLE, names_of
from seatrial.parity.reading import column
from seatrial.parity.result import KeySet, RowOrder

Direction = Literal["ascending", "descending"]

CHANCE = log(100)  # a column in order by chance, in fewer than one of a hundred random orders, was sorted by


@dataclass(frozen=True)
class _Requests:
    """The rows of one frame, those of a request together: their positions, and where the same request goes on."""

    rows: Array
    goes_on: Array


def order_of(
    expected: pd.DataFrame, actual: pd.DataFrame, keys: Sequence[Column], rows: Alignment, names: Sequence[str],
    requests: int, *, declared: bool,
) -> RowOrder:  # fmt: skip
    """Return whether the rows that both frames have are in one order.

    Args:
        expected: what training saw.
        actual: what is under trial.
        keys: the key columns of ``expected``.
        rows: which row belongs to which.
        names: the names of the key columns.
        requests: how many of them, the first ones, name a request.
        declared: the order is part of the answer.
    """
    whole = requests == len(names)
    if rows.in_order:
        return RowOrder(declared=declared, whole=whole)
    at = np.arange(len(expected)) if rows.expected is None else rows.expected
    to = np.arange(len(actual)) if rows.actual is None else rows.actual
    numbers = np.zeros(len(at), dtype=np.int64) if whole else numbers_of([k.take(at) for k in keys[:requests]])
    asked = _together(numbers)
    turned = asked.goes_on & (np.diff(to[asked.rows]) < 0)
    if not turned.any():
        return RowOrder(declared=declared, whole=whole)
    first = asked.rows[:-1][turned]
    moved = first[np.sort(np.unique(numbers[first], return_index=True)[1])]
    sample = names_of(keys if whole else keys[:requests], moved[:SAMPLE], at)
    found = KeySet(1 if whole else len(moved), sample)
    total = 1 if whole else len(np.unique(numbers))
    by, was, now = "", "", ""
    if not declared:
        seen = np.argsort(to, kind="stable")  # the rows that both have, in the order of the frame under trial
        answered = _together(numbers[seen])
        shared = [c for c in expected.columns if c not in names and c in actual.columns]
        for name in shared:
            was = _sorted(column(expected[name]).take(at[asked.rows]), asked.goes_on)
            if was and (now := _sorted(column(actual[name]).take(to[seen][answered.rows]), answered.goes_on)) != was:
                by = str(name)
                break
            was = now = ""
    return RowOrder(requests=total, moved=found, declared=declared, whole=whole, sorted_by=by, was=was, now=now)


def _together(numbers: Array) -> _Requests:
    rows = np.argsort(numbers, kind="stable")
    return _Requests(rows, np.diff(numbers[rows]) == 0)


def _sorted(values: Column, goes_on: Array) -> Direction | Literal[""]:
    """Return how the rows of every request are sorted by a column; empty where they are not, or may be by chance."""
    for direction, up, down in _steps(values, goes_on):
        if down.any():
            continue
        groups = np.cumsum(~goes_on)
        steps = np.bincount(groups[up], minlength=1)
        counts = np.bincount(steps[steps > 0])
        if sum(int(n) * lgamma(size + 2) for size, n in enumerate(counts)) >= CHANCE:
            return direction
    return ""


def _steps(values: Column, goes_on: Array) -> Iterator[tuple[Direction, Array, Array]]:
    """Yield, for both directions, at which rows the next row of the request is further on, and at which it is back."""
    cells, nulls = _ordered(values)
    if cells is None or len(cells) < 2:
        return
    both = goes_on & ~(nulls[1:] | nulls[:-1])
    further, back = both & (cells[1:] > cells[:-1]), both & (cells[1:] < cells[:-1])
    yield "ascending", further, back
    yield "descending", back, further


def _ordered(values: Column) -> tuple[Array | None, Array]:
    """Return cells that numpy can put in order, and which of them are null."""
    nulls = values.is_null()
    if values.kind in ("instant", "span"):
        return np.where(values.values == NAT, 0, values.values), nulls
    if values.kind == "number":
        return values.values, nulls
    if values.logical == "string":
        codes, found = pd.factorize(values.objects(), sort=True)
        return (codes, nulls) if len(found) else (None, nulls)
    return None, nulls
