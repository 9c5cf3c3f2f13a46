"""Compare frames that come in partitions, each pair in memory: what is counted is exact, causes come from a sample.

Every partition is compared by itself, and the findings are added up; in which order makes no difference to any number.
Of the rows that are kept, some stand for all, and of each column some differ. Which ones depends on their places alone,
so that one process and many come to the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd

from seatrial.parity.agreement.choose import Allowed, check_allowed
from seatrial.parity.agreement.judge import compare_allowed
from seatrial.parity.alignment import Alignment, align, numbers_of
from seatrial.parity.columns import Array, Column
from seatrial.parity.compare import compare
from seatrial.parity.keys import read_keys
from seatrial.parity.order import order_of
from seatrial.parity.reading import column, columns
from seatrial.parity.result import ColumnParity, KeySet, Parity, RowOrder
from seatrial.parity.scale import SAMPLE
from seatrial.parity.streaming.frames.rows import Kept, mixed, smallest
from seatrial.parity.streaming.frames.stack import stacked
from seatrial.parity.streaming.frames.totals import SHOWN, WORST, FrameTotals, Types
from seatrial.parity.streaming.settled import column_settled
from seatrial.parity.streaming.totals import ColumnTotal, KeyTotal, RowTotal
from seatrial.parity.tolerance import EXACT

EACH, KEPT = 1_000, 40_000  # differing rows that are kept of a column, and of all
PLACES = 2**40  # rows of a partition


@dataclass(frozen=True)
class Compared:
    """Two tables compared.

    Attributes:
        parity: what was found.
        expected: the rows of the first table that were kept, those that the findings name among them.
        actual: those of the second one.
        sample: how many rows stand for all where causes are looked for; all where there are no more.
    """

    parity: Parity
    expected: pd.DataFrame
    actual: pd.DataFrame
    sample: int


@dataclass(frozen=True)
class FrameComparison:
    """What is known of two tables before the first partition of them is compared.

    Attributes:
        key: the columns that name a row together.
        request: the first of them, which name a request.
        ordered: the order of rows is part of the answer: of those of a request, or of a partition where it has one.
        rows: how many the expected table has.
        scale_of: some rows of it, which set the scale of its columns.
        tolerances: what columns allow, by name or pattern.

    Example:
        >>> expected = pd.DataFrame({"id": ["a", "b", "c"], "x": [1.0, 2.0, 3.0]})
        >>> actual = expected.assign(x=[1.0, 2.0, 4.0])
        >>> comparison = FrameComparison(("id",), ("id",), ordered=False, rows=3, scale_of=expected)
        >>> parts = [comparison.part(n, expected[rows], actual[rows]) for n, rows in enumerate([slice(2), slice(2, 3)])]
        >>> parity = comparison.settled(parts[0].merge(parts[1])).parity
        >>> parity.ok, parity.columns[0].mismatches, parity.columns[0].worst_keys
        (False, 1, ('c',))
    """

    key: tuple[str, ...]
    request: tuple[str, ...]
    ordered: bool
    rows: int
    scale_of: pd.DataFrame
    tolerances: Mapping[str, Allowed] = field(default_factory=dict)

    def part(
        self, number: int, expected: pd.DataFrame, actual: pd.DataFrame, given: pd.DataFrame | None = None
    ) -> FrameTotals:
        """Compare one partition.

        Args:
            number: its number, from 0.
            expected: its rows of the first table.
            actual: those of the second one.
            given: the input from which both were made, for causes that lie in it.

        Raises:
            PipelineError: a frame without a key column, or with two columns of one name.
            PolicyError: a tolerance that fits no column.
        """
        at = range(number * PLACES, number * PLACES + len(expected))
        at_actual = range(number * PLACES, number * PLACES + len(actual))
        key_expected, key_actual = (read_keys(f, self.key, w) for f, w in ((expected, "expected"), (actual, "actual")))
        rows = align(key_expected, key_actual)
        compared = len(expected) if rows.expected is None else len(rows.expected)
        found = FrameTotals(
            each=max(20, min(EACH, KEPT // max(1, len(self.scale_of.columns)))),
            rows=RowTotal(
                len(expected), len(actual), compared,
                KeyTotal.of(key_expected, rows.missing, at), KeyTotal.of(key_actual, rows.extra, at_actual),
                KeyTotal.of(key_expected, rows.duplicates_expected, at),
                KeyTotal.of(key_actual, rows.duplicates_actual, at_actual),
                len(rows.nulls_expected), len(rows.nulls_actual),
            ),
            key_types=tuple(Types.of(e, a) for e, a in zip(key_expected, key_actual, strict=True)),
            missing=tuple(str(c) for c in expected.columns if c not in actual.columns),
            extra=tuple(str(c) for c in actual.columns if c not in expected.columns),
            column_order_ok=[c for c in actual.columns if c in expected.columns]
            == [c for c in expected.columns if c in actual.columns],
            row_order_ok=rows.in_order,
            order=self._order(expected, actual, key_expected, rows),
        )  # fmt: skip
        pairs = np.arange(compared) if rows.expected is None else rows.expected
        allowed = self._allowed
        shared = [c for c in expected.columns if c not in self.key and c in actual.columns]
        for name, e, a in zip(shared, columns(expected, shared), columns(actual, shared), strict=True):
            was, now = (
                e if rows.expected is None else e.take(rows.expected),
                a if rows.actual is None else a.take(rows.actual),
            )
            cells = compare_allowed(was, now, allowed.get(name, EXACT), 0.0, partial(column, self.scale_of[name]))
            found.columns[str(name)] = ColumnTotal.of(cells, key_expected, rows.expected, at, WORST)
            found.types[str(name)] = Types.of(was, now)
            if len(changed := np.union1d(cells.rows, cells.flips).astype(np.int64)):
                found.differing[str(name)] = smallest(pairs[changed] + at.start, found.each)
        places = pairs + at.start
        for kept, wanted in (
            (found.uniform, self._stands_for_all(places)),
            (found.chosen, np.isin(places, found.wanted())),
        ):
            if wanted.any():
                kept.append(Kept.of_part(np.flatnonzero(wanted), places, rows, (expected, actual), given, self.key))
        found.lost, found.new = [expected.iloc[rows.missing[:SHOWN]]], [actual.iloc[rows.extra[:SHOWN]]]
        return found

    def settled(self, found: FrameTotals, *, distributions: bool = True) -> Compared:
        """Return what was found in all partitions."""
        sample, every = found.sample(), found.every()
        many = 0 if sample is None else len(sample.at)
        whole = many == found.rows.compared
        told = self._compare(every, distributions=distributions and whole)
        plain = self._compare(sample, distributions=True) if distributions and not whole else told
        by_name = {c.column: c for c in plain.columns}
        parity = replace(
            told,
            rows_expected=found.rows.expected,
            rows_actual=found.rows.actual,
            rows_compared=found.rows.compared,
            key_dtype_expected=", ".join(t.expected for t in found.key_types),
            key_dtype_actual=", ".join(t.actual for t in found.key_types),
            key_dtype_ok=all(t.ok for t in found.key_types),
            missing_keys=found.rows.missing.keys,
            extra_keys=found.rows.extra.keys,
            duplicate_keys=found.rows.repeated,
            null_keys=KeySet(found.rows.nulls_expected + found.rows.nulls_actual),
            missing_columns=found.missing,
            extra_columns=found.extra,
            column_order_ok=found.column_order_ok,
            row_order_ok=found.row_order_ok,
            order=found.order if found.order.moved.count else replace(found.order, requests=0),
            columns=tuple(
                self._column(c, by_name[c.column], found, many)
                for c in told.columns
                if c.column in by_name and c.column not in found.missing
            ),
        )
        expected, actual = (self.scale_of[:0],) * 2 if every is None else (every.expected, every.actual)
        names = [*dict.fromkeys([*map(str, actual.columns), *found.extra])]
        return Compared(
            parity,
            stacked([expected, *found.lost]),
            stacked([actual, *found.new]).reindex(columns=[n for n in names if n not in found.missing]),
            many,
        )

    def _compare(self, kept: Kept | None, *, distributions: bool) -> Parity:
        """Compare the rows that were kept."""
        empty = self.scale_of[:0]
        given = None if kept is None else kept.given
        return compare(
            empty if kept is None else kept.expected, empty if kept is None else kept.actual, key=self.key,
            tolerances=self.tolerances, scale_of=self.scale_of, worst=WORST, distributions=distributions,
            given=None if given is None else lambda: given, request=self.request, ordered=self.ordered,
        )  # fmt: skip

    def _column(self, told: ColumnParity, plain: ColumnParity, found: FrameTotals, sample: int) -> ColumnParity:
        """Return a column as it is in all rows; what explains it is as it is in those that were kept."""
        types, share = found.types[told.column], self._allowed.get(told.column, EXACT).share
        total = found.columns[told.column]
        settled = column_settled(
            told, plain, total, total.worst(WORST), rows=found.rows.compared, share=share, sample=sample
        )
        return replace(settled, dtype_expected=types.expected, dtype_actual=types.actual, dtype_ok=types.ok)

    def _order(
        self, expected: pd.DataFrame, actual: pd.DataFrame, keys: Sequence[Column], rows: Alignment
    ) -> RowOrder:  # fmt: skip
        """Return the order of the rows of a partition; where a request has several, with how many requests it has."""
        many = len(self.request)
        found = order_of(expected, actual, keys, rows, self.key, many, declared=self.ordered)
        if found.whole or found.requests:
            return found
        asked = [key if rows.expected is None else key.take(rows.expected) for key in keys[:many]]
        return replace(found, requests=len(np.unique(numbers_of(asked))))

    @property
    def _allowed(self) -> Mapping[str, Allowed]:
        whole = self.scale_of
        return check_allowed(self.tolerances, list(whole.columns), self.key, lambda name: column(whole[name]))

    def _stands_for_all(self, places: Array) -> Array:
        """Return which of some rows stand for all: about 20,000 of all, or every row where there are no more."""
        if self.rows <= SAMPLE:
            return np.ones(len(places), dtype=bool)
        return np.asarray(mixed(places) < np.uint64(int(2**64 * (SAMPLE / self.rows))))
