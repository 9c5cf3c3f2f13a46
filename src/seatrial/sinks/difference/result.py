"""Two files compared: what differs, in sentences, and whether that answers the question at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from seatrial.errors import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS
from seatrial.formatting import plural
from seatrial.parity.result import ColumnParity, KeySet, Parity

Outcome = Literal["same", "different", "not compared"]
EXIT_CODES: dict[Outcome, int] = {
    "same": EXIT_PASS, "different": EXIT_FAIL, "not compared": EXIT_INCONCLUSIVE,
}  # fmt: skip
NAMED = 20  # columns that a sentence names


@dataclass(frozen=True)
class Difference:
    """Two files compared by key.

    Attributes:
        expected: the first file, as it was given.
        actual: the second one.
        key: the columns that name a row.
        parity: the comparison of the chosen columns.
        repeated: rows of the first file whose key an earlier row has.
        nameless: rows of the first file without a key.
    """

    expected: str
    actual: str
    key: tuple[str, ...]
    parity: Parity
    repeated: int = 0
    nameless: int = 0

    @property
    def columns(self) -> tuple[ColumnParity, ...]:
        """The columns that differ."""
        return tuple(c for c in self.parity.columns if not c.ok)

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Why the files were not compared, one sentence each; empty where they were."""
        parity, key, found = self.parity, ", ".join(f"'{k}'" for k in self.key), []
        if not parity.rows_expected or not parity.rows_actual:
            empty = self.actual if parity.rows_expected else self.expected
            found.append(f"{empty} has no rows.")
        elif not parity.rows_compared:
            types = f" (it is {parity.key_dtype_expected} in the first and {parity.key_dtype_actual} in the second)"
            found.append(
                f"No key of {self.expected} is in {self.actual}{'' if parity.key_dtype_ok else types}. "
                f"Is {key} the key of both files?"
            )
        if not parity.columns:
            found.append(f"The files share no column that was chosen, besides the key {key}.")
        if self.repeated:
            repeat = plural(self.repeated, "row repeats", "rows repeat")
            found.append(
                f"The key {key} does not name a row of {self.expected}: {repeat} the key of another row. Rows that "
                "share a key cannot be paired. Name a unique key, with several columns if it takes several."
            )
        if self.nameless:
            found.append(
                f"{plural(self.nameless, 'row')} of {self.expected} {'has' if self.nameless == 1 else 'have'} no key: "
                f"{key} is null there. Rows without a key cannot be paired."
            )
        return tuple(found)

    @property
    def differences(self) -> tuple[str, ...]:
        """What differs besides the cells of shared columns, one sentence each."""
        parity = self.parity
        of_second = parity.duplicate_keys.count - self.repeated
        nameless = parity.null_keys.count - self.nameless
        found = [
            _rows(parity.missing_keys, f"only in {self.expected}"),
            _rows(parity.extra_keys, f"only in {self.actual}"),
            _rows(KeySet(of_second, parity.duplicate_keys.sample), f"of {self.actual} with the key of another row"),
            _rows(KeySet(nameless), f"of {self.actual} without a key"),
            _columns(parity.missing_columns, f"only in {self.expected}"),
            _columns(parity.extra_columns, f"only in {self.actual}"),
        ]
        if not parity.key_dtype_ok:
            found.append(f"The key is {parity.key_dtype_actual} instead of {parity.key_dtype_expected}.")
        return tuple(sentence for sentence in found if sentence)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not the same and no difference."""
        found = [] if self.parity.row_order_ok else ["The rows are in another order."]
        return (*found, *([] if self.parity.column_order_ok else ["The columns are in another order."]))

    @property
    def outcome(self) -> Outcome:
        """``same`` only where rows and columns were compared, and everything could be."""
        if self.obstacles:
            return "not compared"
        return "different" if self.differences or self.columns or not self.parity.ok else "same"

    @property
    def exit_code(self) -> int:
        """0 for the same, 1 for different, 2 for not compared."""
        return EXIT_CODES[self.outcome]

    @property
    def summary(self) -> str:
        """The result in one line."""
        parity = self.parity
        rows, columns = plural(parity.rows_compared, "row"), plural(len(parity.columns), "column")
        if self.obstacles:
            return f"not compared: {' '.join(self.obstacles)}"
        if self.outcome == "same":
            return f"same: {rows} and {columns} compared"
        parts = [f"{len(self.columns):,} of {columns} {'differs' if len(self.columns) == 1 else 'differ'} in {rows}"]
        return f"different: {'; '.join([*parts, *(d.rstrip('.') for d in self.differences)])}"


def largest(column: ColumnParity) -> float | None:
    """Return the largest difference of a column whose values differ, or None where there is none to state."""
    size = column.max_abs_diff
    return size if column.mismatches and 0 < size < float("inf") else None


def cause(column: ColumnParity) -> str:
    """Return why a column differs, as far as that is known."""
    if column.cause:
        return column.cause.detail
    return "" if column.dtype_ok else f"{column.dtype_actual} instead of {column.dtype_expected}"


def _rows(keys: KeySet, where: str) -> str:
    if keys.count <= 0:
        return ""
    named = f" (key {', '.join(keys.sample)}{', …' if keys.count > len(keys.sample) else ''})" if keys.sample else ""
    return f"{plural(keys.count, 'row')} {where}{named}."


def _columns(names: tuple[str, ...], where: str) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{plural(len(names), 'column')} {where}: {', '.join(names[:NAMED])}{more}."
