"""What a comparison found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from seatrial.formatting import plural
from seatrial.parity.causes.change import Cause

Direction = Literal["", "higher", "lower", "mixed"]


@dataclass(frozen=True)
class KeySet:
    """How many rows, and the keys of the first few."""

    count: int = 0
    sample: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowOrder:
    """The order of the rows that both frames have.

    Attributes:
        requests: those whose order was looked at; 0 where all rows are in their order.
        moved: the requests whose rows are in another order.
        declared: the order is part of the answer.
        whole: a request has one row, so the order is that of the whole frame, which counts as one.
        sorted_by: the column by which the expected frame is sorted and the actual one is not, where the order is not
            declared.
        was: how it is sorted there, ``ascending`` or ``descending``.
        now: how the actual frame is sorted by it; empty where it is not.
    """

    requests: int = 0
    moved: KeySet = KeySet()
    declared: bool = False
    whole: bool = True
    sorted_by: str = ""
    was: str = ""
    now: str = ""

    @property
    def ok(self) -> bool:
        """The order is that of training, or is no part of the answer."""
        return not (self.declared and self.moved.count)


@dataclass(frozen=True)
class ColumnParity:
    """One column compared.

    ``mismatches`` counts the rows where both sides have a value and the values differ beyond the tolerance,
    ``null_flips`` those where one side is null: no row is in both. The maxima are over all rows, also those
    within the tolerance, in the column's unit (seconds for instants). ``direction`` says where at least 99 %
    of the mismatches went. ``worst_path`` is where inside a cell of the first of ``worst_keys`` the largest
    difference is, as in ``result.boxes[2].score``; empty for cells that hold no others. ``p_value`` is adjusted over
    all columns. ``factor`` is actual ÷ expected where they differ most, None where they are no numbers or the expected
    one is near zero. ``follows`` is the column of the same frame whose differences these go with, as where one is
    computed from the other; empty where there is none. ``picture`` is what
    :func:`seatrial.parity.pictures.picture` returns.
    """

    column: str
    dtype_expected: str
    dtype_actual: str
    dtype_ok: bool
    rows: int
    mismatches: int
    allowed: int
    null_flips: int
    max_abs_diff: float
    max_rel_diff: float
    worst_keys: tuple[str, ...] = ()
    worst_path: str = ""
    direction: Direction = ""
    cause: Cause | None = None
    factor: float | None = None
    psi: float = 0.0
    psi_critical: float = 0.0
    p_value: float = 1.0
    drifted: bool = False
    follows: str = ""
    picture: Mapping[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """Rows were compared, the type is the same, and no more rows differ than allowed."""
        return self.rows > 0 and self.dtype_ok and self.mismatches <= self.allowed and self.null_flips == 0

    @property
    def differs(self) -> bool:
        """Rows were compared, and the column does not hold. Of no rows neither ``ok`` nor this is true."""
        return self.rows > 0 and not self.ok


@dataclass(frozen=True)
class Parity:
    """Two frames compared.

    The order of columns is reported and is no fault by itself; that of rows is one where it is declared. ``renamed``
    maps a missing column to the extra one that holds all its values.
    """

    key_columns: tuple[str, ...]
    rows_expected: int
    rows_actual: int
    rows_compared: int
    key_dtype_expected: str
    key_dtype_actual: str
    key_dtype_ok: bool
    missing_keys: KeySet
    extra_keys: KeySet
    duplicate_keys: KeySet
    null_keys: KeySet
    missing_columns: tuple[str, ...]
    extra_columns: tuple[str, ...]
    column_order_ok: bool
    row_order_ok: bool
    order: RowOrder
    columns: tuple[ColumnParity, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name of the key; several columns are separated by commas."""
        return ", ".join(self.key_columns)

    @property
    def keys_differ(self) -> str:
        """How the keys differ, as a noun phrase with the number of rows of each kind; empty where they do not.

        Example:
            >>> from seatrial.parity.compare import compare
            >>> expected = pd.DataFrame({"id": ["a", "b"], "x": [1, 2]})
            >>> actual = pd.DataFrame({"id": ["a", "a", "c"], "x": [1, 1, 3]})
            >>> compare(expected, actual, key="id").keys_differ
            '1 row missing, 1 row added, 1 row too many for its key'
        """
        kinds = (
            (self.missing_keys, "{} missing"),
            (self.extra_keys, "{} added"),
            (self.duplicate_keys, "{} too many for {}"),
            (self.null_keys, "{} with a null key"),
        )
        return ", ".join(
            text.format(plural(keys.count, "row"), "its key" if keys.count == 1 else "their keys")
            for keys, text in kinds
            if keys.count
        )

    @property
    def keys_ok(self) -> bool:
        """Every key stands in both frames exactly once, with the same type."""
        sets = (self.missing_keys, self.extra_keys, self.duplicate_keys, self.null_keys)
        return self.key_dtype_ok and not any(keys.count for keys in sets)

    @property
    def ok(self) -> bool:
        """Something was compared, nothing is missing or too much, and every column holds.

        Rows of a key of several columns may have no other column: which rows there are is an answer, as of a stage
        that chooses candidates.
        """
        whole = self.keys_ok and self.order.ok and not self.missing_columns and not self.extra_columns
        return whole and self.compared > 0 and all(c.ok for c in self.columns)

    @property
    def compared(self) -> int:
        """How many values were compared: of all columns; or the rows, where they are a key of several columns alone."""
        return self.rows_compared * (len(self.columns) or int(len(self.key_columns) > 1))

    @property
    def frame(self) -> pd.DataFrame:
        """The parity frame: one row a feature, nothing null."""
        rows = [
            (
                c.column,
                c.dtype_ok,
                c.rows,
                c.mismatches,
                c.allowed,
                c.null_flips,
                c.max_abs_diff,
                c.max_rel_diff,
                c.worst_keys[0] if c.worst_keys else "",
                c.psi,
                c.psi_critical,
                c.p_value,
                c.drifted,
            )
            for c in self.columns
        ]
        return pd.DataFrame(rows, columns=list(_FRAME)).astype(_FRAME)


_FRAME = {
    "feature": "object",
    "dtype_ok": "bool",
    "rows": "int64",
    "mismatches": "int64",
    "allowed": "int64",
    "null_flips": "int64",
    "max_abs_diff": "float64",
    "max_rel_diff": "float64",
    "worst_key": "object",
    "psi": "float64",
    "psi_critical": "float64",
    "p_value": "float64",
    "drifted": "bool",
}
