"""What a comparison found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from seatrial.parity.causes.change import Cause

Direction = Literal["", "higher", "lower", "mixed"]


@dataclass(frozen=True)
class KeySet:
    """How many rows, and the keys of the first few."""

    count: int = 0
    sample: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnParity:
    """One column compared.

    ``mismatches`` counts the rows where both sides have a value and the values differ beyond the tolerance,
    ``null_flips`` those where one side is null: no row is in both. The maxima are over all rows, also those
    within the tolerance, in the column's unit (seconds for instants). ``direction`` says where at least 99 %
    of the mismatches went. ``worst_path`` is where inside a cell of the first of ``worst_keys`` the largest
    difference is, as in ``result.boxes[2].score``; empty for cells that hold no others. ``p_value`` is adjusted over
    all columns. ``factor`` is actual ÷ expected where they differ most, None where they are no numbers or the expected
    one is near zero.
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

    @property
    def ok(self) -> bool:
        """Rows were compared, the type is the same, and no more rows differ than allowed."""
        return self.rows > 0 and self.dtype_ok and self.mismatches <= self.allowed and self.null_flips == 0


@dataclass(frozen=True)
class Parity:
    """Two frames compared. The order of columns and rows is reported and is no fault by itself.

    ``renamed`` maps a missing column to the extra one that holds all its values.
    """

    key: str
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
    columns: tuple[ColumnParity, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def keys_ok(self) -> bool:
        """Every key stands in both frames exactly once, with the same type."""
        sets = (self.missing_keys, self.extra_keys, self.duplicate_keys, self.null_keys)
        return self.key_dtype_ok and not any(keys.count for keys in sets)

    @property
    def ok(self) -> bool:
        """Something was compared, nothing is missing or too much, and every column holds."""
        whole = self.keys_ok and not self.missing_columns and not self.extra_columns
        return whole and self.rows_compared > 0 and len(self.columns) > 0 and all(c.ok for c in self.columns)

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
