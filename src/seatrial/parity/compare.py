"""Compare a frame with the frame that training saw: keyed, exact on types, in one pass over the columns.

>>> parity = compare(expected, actual, key="transaction_id")
>>> parity.ok, parity.frame
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from seatrial.parity.agreement.choose import Allowed, check_allowed, check_known
from seatrial.parity.agreement.judge import compare_allowed
from seatrial.parity.alignment import Alignment, align
from seatrial.parity.causes.change import Cause, ColumnChange, OtherColumns
from seatrial.parity.causes.inputs import Inputs
from seatrial.parity.causes.naming import Naming
from seatrial.parity.causes.renames import renamed
from seatrial.parity.causes.size import factor
from seatrial.parity.cells import Cells
from seatrial.parity.columns import Array, Column
from seatrial.parity.drift import UNCHANGED, Drift, control_false_discoveries, drift
from seatrial.parity.keys import duplicates, key_names, key_set, names_of, read_keys
from seatrial.parity.logical import is_same_type
from seatrial.parity.order import order_of
from seatrial.parity.pictures import picture
from seatrial.parity.reading import column, columns
from seatrial.parity.result import ColumnParity, Direction, KeySet, Parity
from seatrial.parity.together import Differing
from seatrial.parity.tolerance import EXACT, Tolerance

PICTURES = 8  # columns of a comparison that have one, the first that differ

__all__ = ["Cause", "ColumnParity", "KeySet", "Parity", "Tolerance", "compare"]


def compare(
    expected: pd.DataFrame,
    actual: pd.DataFrame,
    *,
    key: str | Sequence[str],
    tolerances: Mapping[str, Allowed] | None = None,
    floors: Mapping[str, float] | None = None,
    scale_of: pd.DataFrame | None = None,
    worst: int = 5,
    distributions: bool = True,
    given: Callable[[], pd.DataFrame] | None = None,
    request: str | Sequence[str] | None = None,
    ordered: bool = False,
) -> Parity:
    """Compare ``actual`` with ``expected``, row by row by ``key``, column by column by name.

    Args:
        expected: what training saw, one row a key.
        actual: what is under trial, in any order of rows and columns.
        key: the column that names a row, or the columns that do together; unique and never null.
        tolerances: what columns allow, by name or pattern; the defaults are in :mod:`seatrial.parity.tolerance`.
        floors: recorded noise, added to a column's absolute tolerance, in the column's unit.
        scale_of: the frame whose columns set the scale of the defaults; by default ``expected``. Give the whole
            reference where ``expected`` is a few rows of it.
        worst: how many keys to name for a column, the largest difference first.
        distributions: also compare the distributions of the columns that differ.
        given: returns the input from which both were made, keyed likewise, for causes that lie in it; called at most
            once, and only where a column differs.
        request: the first columns of the key, which name a request of which there may be several rows; by default
            all of them.
        ordered: the order of rows is part of the answer: within a request, or, where a request has one row, of the
            whole frame.

    Raises:
        PipelineError: a frame without a key column, or with two columns of one name.
        PolicyError: a tolerance or floor for a column that the expected frame does not have, or a tolerance of a kind
            that cannot apply to its column.
    """
    tolerances, floors = tolerances or {}, floors or {}
    names = key_names(key)
    key_expected, key_actual = read_keys(expected, names, "expected"), read_keys(actual, names, "actual")
    allowed = check_allowed(tolerances, list(expected.columns), names, lambda name: column(expected[name]))
    check_known(floors, list(expected.columns), names, "floor")
    rows = align(key_expected, key_actual)
    shared = [name for name in expected.columns if name not in names and name in actual.columns]
    rows_compared = len(expected) if rows.expected is None else len(rows.expected)
    labels = {str(name): name for name in shared}
    was, now = _reader(expected, rows.expected), _reader(actual, rows.actual)
    elsewhere = OtherColumns(list(labels), rows_compared, was)
    naming, differing = Naming(), Differing(rows_compared)
    keyed = expected[list(names)]
    inputs = Inputs(given, names, lambda: keyed if rows.expected is None else keyed.iloc[rows.expected])
    results: list[ColumnParity] = []
    drifts: list[Drift] = []
    whole = expected if scale_of is None else scale_of
    for name, e, a in _pairs(expected, actual, shared, rows):
        tolerance = allowed.get(name, EXACT)
        source = partial(_source, whole, name, e)
        cells = compare_allowed(e, a, tolerance, floors.get(name, 0.0), source)
        changed = np.union1d(cells.rows, cells.flips) if len(cells.flips) else cells.rows
        drifts.append(drift(e, a, changed) if distributions else UNCHANGED)
        results.append(
            ColumnParity(
                column=str(name),
                dtype_expected=e.logical,
                dtype_actual=a.logical,
                dtype_ok=is_same_type(e, a),
                rows=rows_compared,
                mismatches=len(cells.rows),
                allowed=int(tolerance.share * rows_compared),
                null_flips=len(cells.flips),
                max_abs_diff=cells.max_abs,
                max_rel_diff=cells.max_rel,
                worst_keys=names_of(key_expected, _worst(cells, worst), rows.expected),
                worst_path=f"{name}{cells.worst.path}" if cells.worst is not None and cells.worst.path else "",
                direction=_direction(cells),
                factor=factor(e, a, cells),
                cause=naming.name(ColumnChange(str(name), e, a, cells.rows, cells.flips, elsewhere, inputs.nulls))
                if len(changed) or not is_same_type(e, a)
                else None,
            )
        )
        if len(changed) and results[-1].differs:
            differing.add(str(name), e, a, changed, named=results[-1].cause is not None)
            if distributions and len(differing.sketches) <= PICTURES:
                results[-1] = replace(results[-1], picture=picture(e, a, changed))
    follows = differing.followers()
    missing = tuple(str(name) for name in expected.columns if name not in actual.columns)
    extra = tuple(str(name) for name in actual.columns if name not in expected.columns)
    settled = drifts if all(d is UNCHANGED for d in drifts) else control_false_discoveries(drifts)
    return Parity(
        key_columns=names,
        rows_expected=len(expected),
        rows_actual=len(actual),
        rows_compared=rows_compared,
        key_dtype_expected=", ".join(k.logical for k in key_expected),
        key_dtype_actual=", ".join(k.logical for k in key_actual),
        key_dtype_ok=all(is_same_type(e, a) for e, a in zip(key_expected, key_actual, strict=True)),
        missing_keys=key_set(key_expected, rows.missing),
        extra_keys=key_set(key_actual, rows.extra),
        duplicate_keys=duplicates(key_expected, key_actual, rows),
        null_keys=KeySet(len(rows.nulls_expected) + len(rows.nulls_actual)),
        missing_columns=missing,
        extra_columns=extra,
        renamed=renamed(missing, extra, was, now, rows_compared),
        column_order_ok=[name for name in actual.columns if name in expected.columns]
        == [name for name in expected.columns if name in actual.columns],
        row_order_ok=rows.in_order,
        order=order_of(
            expected,
            actual,
            key_expected,
            rows,
            names,
            len(names if request is None else key_names(request)),
            declared=ordered,
        ),
        columns=tuple(
            replace(
                c,
                psi=d.psi,
                psi_critical=d.psi_critical,
                p_value=d.p_value,
                drifted=d.drifted,
                follows=follows.get(c.column, ""),
            )
            for c, d in zip(results, settled, strict=True)
        ),
    )


def _reader(frame: pd.DataFrame, rows: Array | None) -> Callable[[str, Array], Column]:
    labels = {str(name): name for name in frame.columns}
    return lambda name, at: column(frame[labels[name]].iloc[at if rows is None else rows[at]])


def _pairs(
    expected: pd.DataFrame, actual: pd.DataFrame, names: list[str], rows: Alignment
) -> Iterator[tuple[str, Column, Column]]:
    for name, e, a in zip(names, columns(expected, names), columns(actual, names), strict=True):
        yield (
            name,
            e if rows.expected is None else e.take(rows.expected),
            (a if rows.actual is None else a.take(rows.actual)),
        )


def _source(frame: pd.DataFrame, name: str, expected: Column) -> Column:
    """Return the column that sets the scale: only where a difference is near to its bounds is it read."""
    return column(frame[name]) if name in frame.columns else expected


def _worst(cells: Cells, count: int) -> Array:
    """Return the rows that differ most; null flips after values, ties by position."""
    rows = cells.rows
    if cells.diff is not None and len(rows):
        size = np.nan_to_num(np.abs(cells.diff), nan=np.inf, posinf=np.inf)
        if len(rows) > count > 0:
            limit = np.partition(size, len(rows) - count)[len(rows) - count]
            rows, size = rows[size >= limit], size[size >= limit]
        rows = rows[np.argsort(-size, kind="stable")]
    elif cells.worst is not None and len(rows) and count > 0:
        rows = np.append(cells.worst.row, rows[rows != cells.worst.row][: count - 1])
    return np.append(rows[:count], cells.flips[: max(0, count - len(rows))])


def _direction(cells: Cells) -> Direction:
    if cells.diff is None or not len(cells.rows):
        return ""
    higher = int(np.count_nonzero(cells.diff > 0))
    if higher >= 0.99 * len(cells.rows):
        return "higher"
    return "lower" if higher <= 0.01 * len(cells.rows) else "mixed"
