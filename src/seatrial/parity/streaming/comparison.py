"""A comparison of two tables, part by part: states of parts merge, in whatever groups, to that of all parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa

from seatrial.parity.agreement.choose import Allowed, check_allowed, check_known
from seatrial.parity.agreement.judge import compare_allowed
from seatrial.parity.alignment import align
from seatrial.parity.columns import Array, Column, of_arrow, sampled
from seatrial.parity.compare import compare
from seatrial.parity.keys import key_names
from seatrial.parity.reading import column
from seatrial.parity.result import KeySet, Parity
from seatrial.parity.scale import SAMPLE
from seatrial.parity.streaming.kept import Kept
from seatrial.parity.streaming.order import Order
from seatrial.parity.streaming.parts import Part
from seatrial.parity.streaming.samples import sample_of
from seatrial.parity.streaming.settled import Streamed, column_settled, order_settled
from seatrial.parity.streaming.tables import Dataset, frame
from seatrial.parity.streaming.totals import ColumnTotal, RowTotal
from seatrial.parity.tolerance import EXACT

EACH = 1_000  # differing rows of a column that are kept, for its cause
KEPT = 40_000  # of all columns


@dataclass(frozen=True)
class Comparison:
    """Two tables that are compared: their columns, and what may differ.

    Attributes:
        expected: what training saw.
        schemas: the columns that are read of both.
        key: those that name a row.
        shared: those that are compared.
        tolerances: what columns allow, by name or pattern.
        allowed: what each column allows.
        floors: recorded noise, by column.
        worst: how many keys to name for a column.
        sample: how many rows tell scales, causes, pictures and distributions.
        each: how many differing rows of a column are kept besides.
        folder: where the order of scattered rows is kept; None where each part is one piece of both tables.
        token: names this comparison, so that a process that works on many of its parts reads a sample once.

    Example:
        Work on the parts anywhere, and merge what comes back in their order::

            comparison = Comparison.of(expected, schema, key="id")
            state = comparison.empty()
            state.add(part)
            state = state.merge(other)
            parity = state.settled().parity
    """

    expected: Dataset
    schemas: tuple[pa.Schema, pa.Schema]
    key: tuple[str, ...]
    shared: tuple[str, ...]
    tolerances: Mapping[str, Allowed]
    allowed: Mapping[str, Allowed]
    floors: Mapping[str, float]
    worst: int
    sample: int
    each: int
    folder: Path | None
    token: str = field(default_factory=lambda: uuid4().hex)

    @classmethod
    def of(
        cls,
        expected: Dataset,
        actual: pa.Schema,
        *,
        key: str | Sequence[str],
        columns: Sequence[str] | None = None,
        tolerances: Mapping[str, Allowed] | None = None,
        floors: Mapping[str, float] | None = None,
        worst: int = 5,
        folder: Path | None = None,
    ) -> Comparison:
        """Return the comparison of a table with one whose columns are known.

        Args:
            expected: what training saw.
            actual: the columns of what is under trial.
            key: the column that names a row, or the columns that do together.
            columns: those that are compared; all by default.
            tolerances: what columns allow, by name or pattern.
            floors: recorded noise, added to a column's absolute tolerance, in the column's unit.
            worst: how many keys to name for a column, the largest difference first.
            folder: where the order of scattered rows is kept, for all processes that work on parts.

        Raises:
            PipelineError: a table without a key column.
            PolicyError: a tolerance or floor that fits no column.
        """
        keys = key_names(key)
        was, now = (
            pa.schema([f for f in side if f.name in keys or columns is None or f.name in columns])
            for side in (expected.schema, actual)
        )
        empty = frame(was.empty_table()), frame(now.empty_table())
        shared = tuple(c.column for c in compare(*empty, key=keys).columns)
        check_known(floors or {}, was.names, keys, "floor")
        allowed = check_allowed(tolerances or {}, was.names, keys, lambda name: column(empty[0][name]))
        each = max(20, min(EACH, KEPT // max(1, len(shared))))
        return cls(
            expected, (was, now), keys, shared, tolerances or {}, allowed, floors or {}, worst, SAMPLE, each, folder
        )  # fmt: skip

    def empty(self) -> State:
        """Return the state of no parts."""
        columns = {name: ColumnTotal() for name in self.shared}
        return State(self, Order(self.folder), Kept(self.uniform, self.each), RowTotal(), columns)

    @property
    def names(self) -> tuple[list[str], list[str]]:
        """The columns that are read of both tables."""
        return self.schemas[0].names, self.schemas[1].names

    @property
    def uniform(self) -> Array:
        """The positions in the expected table that stand for all, ascending."""
        return sampled(self.expected.rows, self.sample)


@dataclass
class State:
    """What some parts of a comparison add up to; it can be sent to another process.

    Attributes:
        comparison: what is compared.
        order: whether the rows are in one order.
        kept: rows of both tables, for causes, pictures and distributions.
        rows: which rows belong together.
        columns: what was found of each.
        scales: the samples that set the scales of columns, of those that were asked for.
    """

    comparison: Comparison
    order: Order
    kept: Kept
    rows: RowTotal
    columns: dict[str, ColumnTotal]
    scales: dict[str, pa.ChunkedArray] = field(default_factory=dict)

    def add(self, part: Part) -> None:
        """Compare a part."""
        todo, most = self.comparison, self.comparison.worst
        keys = tuple([of_arrow(side.column(n)) for n in todo.key] for side in (part.expected, part.actual))
        rows = align(keys[0], keys[1])
        self.rows = self.rows.merge(RowTotal.of(part, rows, (keys[0], keys[1])))
        self.order.add(part, rows)
        changed = {}
        for name in todo.shared:
            e, a = of_arrow(part.expected.column(name)), of_arrow(part.actual.column(name))
            e = e if rows.expected is None else e.take(rows.expected)
            a = a if rows.actual is None else a.take(rows.actual)
            cells = compare_allowed(e, a, todo.allowed.get(name, EXACT), todo.floors.get(name, 0.0), self._source(name))
            found = ColumnTotal.of(cells, keys[0], rows.expected, part.at_expected, most)
            self.columns[name] = self.columns[name].merge(found, most)
            if len(cells.rows) or len(cells.flips):
                changed[name] = np.union1d(cells.rows, cells.flips) if len(cells.flips) else cells.rows
        self.kept.add(part, rows, changed, self._named())

    def merge(self, other: State) -> State:
        """Return the state of the parts of both, which share none; neither is changed."""
        most = self.comparison.worst
        both = State(
            self.comparison,
            self.order.merge(other.order),
            self.kept,
            self.rows.merge(other.rows),
            {name: total.merge(other.columns[name], most) for name, total in self.columns.items()},
            other.scales | self.scales,
        )
        both.kept = self.kept.merge(other.kept, both._named())
        return both

    def trimmed(self) -> State:
        """Return it as small as it can be, to be sent."""
        return replace(self, kept=self.kept.trimmed(self._named()))

    def settled(self, *, distributions: bool = True) -> Streamed:
        """Return what was found.

        Args:
            distributions: also compare the distributions of the columns that differ.
        """
        rows = self.rows
        worst = {name: total.worst(self.comparison.worst) for name, total in self.columns.items()}
        kept = self.kept.trimmed([row.position for each in worst.values() for row in each])
        told = self._sampled(kept, uniform=False, distributions=distributions)
        more = kept.differing or any(worst.values())  # than those that stand for all
        plain = self._sampled(kept, uniform=True, distributions=True) if distributions and more else told
        sample = plain.rows_compared
        in_order = self.order.settled(rows.expected)
        by_name = {c.column: c for c in plain.columns}
        parity = replace(
            told,
            rows_expected=rows.expected,
            rows_actual=rows.actual,
            rows_compared=rows.compared,
            missing_keys=rows.missing.keys,
            extra_keys=rows.extra.keys,
            duplicate_keys=rows.repeated,
            null_keys=KeySet(rows.nulls_expected + rows.nulls_actual),
            row_order_ok=in_order,
            order=order_settled(told.order, in_order=in_order),
            columns=tuple(
                column_settled(
                    c, by_name[c.column], self.columns[c.column], worst[c.column], rows=rows.compared, sample=sample,
                    share=self.comparison.allowed.get(c.column, EXACT).share,
                )
                for c in told.columns
            ),
        )  # fmt: skip
        return Streamed(parity, rows.repeated_expected.count, rows.nulls_expected, sample)

    def _source(self, name: str) -> Callable[[], Column]:
        """Return a function that reads the column's sample, which sets its scale, when it is called first."""

        def read() -> Column:
            if name not in self.scales:
                todo = self.comparison
                self.scales[name] = sample_of(todo.expected, name, todo.uniform, todo.token)
            return of_arrow(self.scales[name])

        return read

    def _sampled(self, kept: Kept, *, uniform: bool, distributions: bool) -> Parity:
        """Compare the rows that were kept."""
        todo, tables = self.comparison, kept.tables(uniform=uniform)
        was, now = map(frame, tables or (schema.empty_table() for schema in todo.schemas))
        return compare(
            was, now, key=todo.key, tolerances=todo.tolerances, floors=todo.floors, distributions=distributions,
            worst=todo.worst, scale_of=frame(pa.table(self.scales)),
        )  # fmt: skip

    def _named(self) -> list[int]:
        return [position for total in self.columns.values() for position in total.named]
