"""What the sums of a comparison and its samples say together."""

from __future__ import annotations

from dataclasses import dataclass, replace

from seatrial.parity.causes.change import Cause
from seatrial.parity.result import ColumnParity, KeySet, Parity, RowOrder
from seatrial.parity.streaming.totals import ColumnTotal, Worst


@dataclass(frozen=True)
class Streamed:
    """Two tables compared.

    Attributes:
        parity: what was found.
        repeated: rows of the expected table whose key an earlier row has.
        nameless: rows of the expected table without a key.
        sample: rows from which causes, pictures and distributions come; all where the tables have no more.
    """

    parity: Parity
    repeated: int
    nameless: int
    sample: int


def column_settled(
    told: ColumnParity, plain: ColumnParity, total: ColumnTotal, worst: tuple[Worst, ...], *, rows: int, share: float,
    sample: int,
) -> ColumnParity:  # fmt: skip
    """Return what was found of a column.

    Args:
        told: of the rows that were kept.
        plain: of those of them that stand for all.
        total: of all rows.
        worst: the rows that differ most.
        rows: how many were compared.
        share: of them that may differ.
        sample: how many stand for all.
    """
    return replace(
        told,
        rows=rows,
        mismatches=total.mismatches,
        allowed=int(share * rows),
        null_flips=total.flips,
        max_abs_diff=total.max_abs,
        max_rel_diff=total.max_rel,
        worst_keys=tuple(row.key for row in worst),
        worst_path=f"{told.column}{worst[0].path}" if worst and worst[0].path else "",
        direction=total.direction,
        psi=plain.psi,
        psi_critical=plain.psi_critical,
        p_value=plain.p_value,
        drifted=plain.drifted,
        picture=plain.picture or told.picture,
        cause=told.cause and replace(told.cause, detail=_detail(told.cause, total, rows, sample)),
    )


def order_settled(found: RowOrder, *, in_order: bool) -> RowOrder:
    """Return the order of all rows; ``found`` is that of those that were kept."""
    if in_order:
        return RowOrder(declared=found.declared, whole=found.whole)
    return found if found.moved.count else replace(found, requests=1, moved=KeySet(1))


def _detail(cause: Cause, total: ColumnTotal, rows: int, sample: int) -> str:
    if sample >= rows:
        return cause.detail
    return f"{cause.how} in the rows looked at, of {total.mismatches + total.flips:,} that differ in {rows:,}"
