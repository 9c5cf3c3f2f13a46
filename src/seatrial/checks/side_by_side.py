"""Keep the rows behind the findings of a comparison, reference beside answer, in the local evidence of a trial."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from seatrial.events.local import ROWS, Pair, Rows
from seatrial.io import frame_json
from seatrial.parity.keys import names_of, read_keys
from seatrial.parity.result import ColumnParity, Parity
from seatrial.trial import Trial

COLUMNS = 50  # of one comparison
_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\[(['\"])(.*?)\3\]")


def keep_rows(
    trial: Trial, check: str, place: str, parity: Parity, expected: pd.DataFrame, actual: pd.DataFrame, how: str,
    *, sides: tuple[str, str] = ("training", "serving"),
) -> None:  # fmt: skip
    """Keep the rows that differ most of each column that is not as in the reference, and those of one side only.

    Args:
        trial: whose local evidence it is.
        check: that reports the comparison.
        place: the stage, dependency or service that answered.
        parity: the comparison.
        expected: the frame of the reference.
        actual: the answer.
        how: how it came about, such as ``stage replay``.
        sides: what is beside what.
    """
    if not trial.local or (parity.ok and not any(c.drifted for c in parity.columns)):
        return
    keys = (parity.missing_keys, parity.extra_keys, parity.duplicate_keys)
    wanted = {k for named in (*(each.sample for each in keys), *(c.worst_keys for c in parity.columns)) for k in named}
    was, now = (FrameByKey(frame, parity.key_columns, wanted) for frame in (expected, actual))

    def keep(column: str, rows: Iterable[Pair], within: tuple[Pair, ...] = ()) -> None:
        if kept := tuple(rows):
            trial.local.keep(Rows(check, place, column, how, (*within, *kept), sides))

    lost, new = parity.missing_keys.sample, (*parity.extra_keys.sample, *parity.duplicate_keys.sample)
    keep(parity.key, [*(Pair(k, was.row(k), None) for k in lost), *(Pair(k, None, now.row(k)) for k in new)][:ROWS])
    for c in [c for c in parity.columns if c.differs or c.drifted][:COLUMNS]:
        pairs = (Pair(k, was.cell(k, c.column), now.cell(k, c.column)) for k in c.worst_keys)
        keep(c.column, pairs, _within(c, was, now))
    for name in parity.missing_columns[:COLUMNS]:
        other = parity.renamed.get(name)
        keep(name, (Pair(k, was.cell(k, name), other and now.cell(k, other)) for k in was.names[:ROWS]))
    for name in [n for n in parity.extra_columns if n not in parity.renamed.values()][:COLUMNS]:
        keep(name, (Pair(k, None, now.cell(k, name)) for k in now.names[:ROWS]))


def _within(c: ColumnParity, was: FrameByKey, now: FrameByKey) -> tuple[Pair, ...]:
    """Return the values where the largest difference is inside a cell."""
    if not c.worst_keys or not c.worst_path:
        return ()
    key, path = c.worst_keys[0], c.worst_path[len(c.column) :]
    try:
        sides = [text_of(value_at(frame.value(key, c.column), path)) for frame in (was, now)]
    except KeyError:
        return ()
    return (Pair(f"{key} at {c.worst_path}", *sides),)


class FrameByKey:
    """A frame whose rows are found by their key, as findings name it.

    Args:
        frame: the frame.
        key: its key columns.
        wanted: keys; of a long frame, only their rows and the first few are found.

    Attributes:
        names: the key of each row that is found, in order.
    """

    def __init__(self, frame: pd.DataFrame, key: Sequence[str], wanted: Collection[str] | None = None) -> None:
        if wanted is not None and len(key) == 1 and _is_plain(frame[key[0]].dtype):
            found = frame[key[0]].astype(str).isin(wanted).to_numpy(dtype=bool).copy()
            found[:ROWS] = True
            frame = frame[found]
        self._frame = frame
        self.names = names_of(read_keys(frame, key, "compared"), np.arange(len(frame)))
        self._at = {name: at for at, name in reversed(list(enumerate(self.names)))}

    def value(self, key: str, column: str) -> Any:
        """Return a cell as JSON carries it, and None where there is no such row."""
        if (at := self._at.get(key)) is None or column not in self._frame.columns:
            return None
        cell = self._frame[column].iloc[at]
        if isinstance(cell, float | np.floating) and not math.isfinite(cell):
            return None if math.isnan(cell) else str(float(cell))
        return frame_json.rows(self._frame[[column]].iloc[[at]])[0][column]

    def cell(self, key: str, column: str) -> str | None:
        """Return a cell as text; None where there is no such row or column."""
        known = key in self._at and column in self._frame.columns
        return text_of(self.value(key, column)) if known else None

    def row(self, key: str) -> str | None:
        """Return a row as text."""
        at = self._at.get(key)
        return None if at is None else text_of(frame_json.rows(self._frame.iloc[[at]])[0])


def _is_plain(dtype: Any) -> bool:
    """Whether pandas writes the values of a key as findings do."""
    return bool(pd.api.types.is_string_dtype(dtype) or pd.api.types.is_integer_dtype(dtype))


def text_of(value: Any) -> str:
    """Return a value as JSON text with its type to be seen: ``"41"`` is text, ``41`` a number."""
    return frame_json.as_text(value)


def value_at(value: Any, path: str) -> Any:
    """Return what is at a path inside a cell, such as ``.boxes[2].score``; KeyError where there is nothing.

    Example:
        >>> value_at({"boxes": [{"score": 0.7}]}, ".boxes[0].score")
        0.7
    """
    for name, number, _, quoted in _PART.findall(path):
        try:
            value = value[int(number)] if number else value[name or quoted]
        except (IndexError, KeyError, TypeError) as error:
            raise KeyError(path) from error
    return value
