"""Compare two tables that need not fit in memory: what is counted is exact, what is explained comes from a sample."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from seatrial.parity.agreement.choose import Allowed, check_allowed, check_known
from seatrial.parity.agreement.judge import compare_allowed
from seatrial.parity.alignment import align
from seatrial.parity.causes.change import Cause
from seatrial.parity.columns import Array, Column, of_arrow, sampled
from seatrial.parity.compare import compare
from seatrial.parity.keys import key_names
from seatrial.parity.reading import column
from seatrial.parity.result import ColumnParity, KeySet, Parity, RowOrder
from seatrial.parity.scale import SAMPLE
from seatrial.parity.streaming.kept import Kept
from seatrial.parity.streaming.partitions import Order, by_hash
from seatrial.parity.streaming.parts import KeysPartError, Part, in_step
from seatrial.parity.streaming.tables import Dataset, frame
from seatrial.parity.streaming.totals import ColumnTotal, RowTotal
from seatrial.parity.tolerance import EXACT

EACH = 1_000  # differing rows of a column that are kept, for its cause
KEPT = 40_000  # of all columns


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


def compare_datasets(
    expected: Dataset,
    actual: Dataset,
    *,
    key: str | Sequence[str],
    columns: Sequence[str] | None = None,
    tolerances: Mapping[str, Allowed] | None = None,
    floors: Mapping[str, float] | None = None,
    worst: int = 5,
    distributions: bool = True,
    folder: Path | None = None,
) -> Streamed:
    """Compare two tables row by row by ``key``, as :func:`seatrial.parity.compare.compare` does, in bounded memory.

    Both are read once where their rows are in one ascending order of the key. Else they are split by the hash of their
    keys into files that fit in memory, and read again. Counts, maxima and the rows named are those of all rows; scale,
    causes, pictures and distributions come from a sample of 20,000 rows and from 1,000 differing rows of each column.

    Args:
        expected: what training saw.
        actual: what is under trial.
        key: the column that names a row, or the columns that do together.
        columns: those that are compared; all by default.
        tolerances: what columns allow, by name or pattern.
        floors: recorded noise, added to a column's absolute tolerance, in the column's unit.
        worst: how many keys to name for a column, the largest difference first.
        distributions: also compare the distributions of the columns that differ.
        folder: where rows are kept while they are paired; by default a temporary one.

    Raises:
        PipelineError: a table without a key column.
        PolicyError: a tolerance or floor that fits no column.
        UsageError: the rows are not in one order and the disk has no room to pair them.
    """
    keys = key_names(key)
    chosen = tuple(
        [n for n in side.schema.names if n in keys or columns is None or n in columns] for side in (expected, actual)
    )
    work = _Work(expected, actual, (chosen[0], chosen[1]), keys, tolerances or {}, floors or {}, worst)
    with tempfile.TemporaryDirectory(prefix="seatrial-pairs-", dir=folder) as place:
        try:
            done = work.over(in_step(expected, actual, work.names, keys), Path(place))
        except KeysPartError:
            done = work.over(by_hash(expected, actual, work.names, keys, Path(place)), Path(place))
        return done.settled(distributions=distributions)


class _Work:
    """What a comparison needs to know before the first row is read."""

    def __init__(
        self, expected: Dataset, actual: Dataset, names: tuple[list[str], list[str]], key: tuple[str, ...],
        tolerances: Mapping[str, Allowed], floors: Mapping[str, float], worst: int,
    ) -> None:  # fmt: skip
        self.expected, self.actual, self.names, self.key = expected, actual, names, key
        self.given, self.floors, self.worst = tolerances, floors, worst
        was, now = expected.empty(names[0]), actual.empty(names[1])
        self.empty = was, now
        self.shared = [c.column for c in compare(was, now, key=key).columns]
        self.allowed = check_allowed(tolerances, names[0], key, lambda name: column(was[name]))
        check_known(floors, names[0], key, "floor")
        self.uniform = sampled(expected.rows, SAMPLE)
        self.scales: dict[str, pa.ChunkedArray] = {}

    def over(self, parts: Iterable[Part], folder: Path) -> _Done:
        """Compare all parts."""
        done = _Done(self, Order(folder))
        for part in parts:
            done.add(part)
        return done

    def source(self, name: str) -> Callable[[], Column]:
        """Return a function that reads the column's sample, which sets its scale, when it is called first."""

        def read() -> Column:
            if name not in self.scales:
                self.scales[name] = _at(self.expected, name, self.uniform)
            return of_arrow(self.scales[name])

        return read


class _Done:
    """A comparison as far as its parts were compared."""

    def __init__(self, work: _Work, order: Order) -> None:
        self.work, self.order = work, order
        self.rows = RowTotal()
        self.columns = {name: ColumnTotal() for name in work.shared}
        self.kept = Kept(work.uniform, max(20, min(EACH, KEPT // max(1, len(work.shared)))))

    def add(self, part: Part) -> None:
        """Compare a part."""
        work = self.work
        keys = tuple([of_arrow(side.column(n)) for n in work.key] for side in (part.expected, part.actual))
        rows = align(keys[0], keys[1])
        compared = part.expected.num_rows if rows.expected is None else len(rows.expected)
        self.rows.add(rows, compared, (keys[0], keys[1]), (part.at_expected, part.at_actual))
        self.order.add(part, rows)
        changed = {}
        for name in work.shared:
            e, a = of_arrow(part.expected.column(name)), of_arrow(part.actual.column(name))
            e = e if rows.expected is None else e.take(rows.expected)
            a = a if rows.actual is None else a.take(rows.actual)
            cells = compare_allowed(e, a, work.allowed.get(name, EXACT), work.floors.get(name, 0.0), work.source(name))
            self.columns[name].add(cells, keys[0], rows.expected, part.at_expected, work.worst)
            if len(cells.rows) or len(cells.flips):
                changed[name] = np.union1d(cells.rows, cells.flips) if len(cells.flips) else cells.rows
        self.kept.add(part, rows, changed, self._named())
        self.kept.trim(self._named())

    def settled(self, *, distributions: bool) -> Streamed:
        """Return what was found."""
        work, rows = self.work, self.rows
        self.kept.trim(self._named(), now=True)
        told = self._sampled(uniform=False, distributions=distributions)
        plain = self._sampled(uniform=True, distributions=True) if distributions else told
        sample = plain.rows_compared
        in_order = self.order.settled(work.expected.rows)
        by_name = {c.column: c for c in plain.columns}
        parity = replace(
            told,
            rows_expected=work.expected.rows,
            rows_actual=work.actual.rows,
            rows_compared=rows.compared,
            missing_keys=rows.missing.keys,
            extra_keys=rows.extra.keys,
            duplicate_keys=rows.repeated,
            null_keys=KeySet(rows.nulls_expected + rows.nulls_actual),
            row_order_ok=in_order,
            order=_order(told.order, in_order=in_order),
            columns=tuple(self._column(c, by_name[c.column], sample) for c in told.columns),
        )
        return Streamed(parity, rows.repeated_expected.count, rows.nulls_expected, sample)

    def _sampled(self, *, uniform: bool, distributions: bool) -> Parity:
        """Compare the rows that were kept."""
        work = self.work
        tables = self.kept.tables(uniform=uniform)
        was, now = work.empty if tables is None else map(frame, tables)
        return compare(
            was, now, key=work.key, tolerances=work.given, floors=work.floors, distributions=distributions,
            worst=work.worst, scale_of=frame(pa.table(work.scales)),
        )  # fmt: skip

    def _named(self) -> list[int]:
        return [row.position for total in self.columns.values() for row in total.worst]

    def _column(self, told: ColumnParity, plain: ColumnParity, sample: int) -> ColumnParity:
        total, rows = self.columns[told.column], self.rows.compared
        allowance = self.work.allowed.get(told.column, EXACT)
        return replace(
            told,
            rows=rows,
            mismatches=total.mismatches,
            allowed=int(allowance.share * rows),
            null_flips=total.flips,
            max_abs_diff=total.max_abs,
            max_rel_diff=total.max_rel,
            worst_keys=tuple(row.key for row in total.worst),
            worst_path=f"{told.column}{total.worst[0].path}" if total.worst and total.worst[0].path else "",
            direction=total.direction,
            psi=plain.psi,
            psi_critical=plain.psi_critical,
            p_value=plain.p_value,
            drifted=plain.drifted,
            picture=plain.picture or told.picture,
            cause=told.cause and replace(told.cause, detail=self._where_from(told.cause, total, sample)),
        )

    def _where_from(self, cause: Cause, total: ColumnTotal, sample: int) -> str:
        rows, many = self.rows.compared, total.mismatches + total.flips
        if sample >= rows:
            return cause.detail
        return f"{cause.how} in the rows looked at, of {many:,} that differ in {rows:,}"


def _order(found: RowOrder, *, in_order: bool) -> RowOrder:
    if in_order:
        return RowOrder(declared=found.declared, whole=found.whole)
    return found if found.moved.count else replace(found, requests=1, moved=KeySet(1))


def _at(side: Dataset, name: str, positions: Array) -> pa.ChunkedArray:
    """Return some cells of one column, in the order of the table."""
    taken, start = [], 0
    for batch in side.batches([name]):
        here = positions[slice(*np.searchsorted(positions, (start, start + batch.num_rows)))]
        taken.append(batch.column(0).take(pa.array(here - start)))
        start += batch.num_rows
    return pa.chunked_array(taken, side.schema.field(name).type)
