"""Compare a frame with the frame that training saw: keyed, exact on types, in one pass over the columns.

>>> parity = compare(expected, actual, key="transaction_id")
>>> parity.ok, parity.frame
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from seatrial.errors import PipelineError, nearest
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
from seatrial.parity.logical import is_same_type
from seatrial.parity.reading import column, columns
from seatrial.parity.result import (
    ColumnParity,
    Direction,
    KeySet,
    Parity,
)
from seatrial.parity.tolerance import EXACT, Tolerance

__all__ = ["Cause", "ColumnParity", "KeySet", "Parity", "Tolerance", "compare"]

_SAMPLE = 5  # keys named where only some can be


def compare(
    expected: pd.DataFrame,
    actual: pd.DataFrame,
    *,
    key: str,
    tolerances: Mapping[str, Allowed] | None = None,
    floors: Mapping[str, float] | None = None,
    scale_of: pd.DataFrame | None = None,
    worst: int = 5,
    distributions: bool = True,
    given: Callable[[], pd.DataFrame] | None = None,
) -> Parity:
    """Compare ``actual`` with ``expected``, row by row by ``key``, column by column by name.

    Args:
        expected: what training saw, one row a key.
        actual: what is under trial, in any order of rows and columns.
        key: the column that names a row; unique and never null.
        tolerances: what columns allow, by name or pattern; the defaults are in :mod:`seatrial.parity.tolerance`.
        floors: recorded noise, added to a column's absolute tolerance, in the column's unit.
        scale_of: the frame whose columns set the scale of the defaults; by default ``expected``. Give the whole
            reference where ``expected`` is a few rows of it.
        worst: how many keys to name for a column, the largest difference first.
        distributions: also compare the distributions of the columns that differ.
        given: returns the input from which both were made, keyed likewise, for causes that lie in it; called at most
            once, and only where a column differs.

    Raises:
        PipelineError: a frame without the key column, or with two columns of one name.
        PolicyError: a tolerance or floor for a column that the expected frame does not have, or a tolerance of a kind
            that cannot apply to its column.
    """
    tolerances, floors = tolerances or {}, floors or {}
    for frame, name in ((expected, "expected"), (actual, "actual")):
        _check_columns(frame, name, key)
    allowed = check_allowed(tolerances, list(expected.columns), (key,), lambda name: column(expected[name]))
    check_known(floors, list(expected.columns), (key,), "floor")

    key_expected, key_actual = column(expected[key]), column(actual[key])
    rows = align(key_expected, key_actual)
    shared = [name for name in expected.columns if name != key and name in actual.columns]
    rows_compared = len(expected) if rows.expected is None else len(rows.expected)
    labels = {str(name): name for name in shared}
    was, now = _reader(expected, rows.expected), _reader(actual, rows.actual)
    elsewhere = OtherColumns(list(labels), rows_compared, was)
    naming = Naming()
    inputs = Inputs(given, key, lambda: expected[key] if rows.expected is None else expected[key].iloc[rows.expected])
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
                worst_keys=_names(key_expected, rows.expected, _worst(cells, worst)),
                worst_path=f"{name}{cells.worst.path}" if cells.worst is not None and cells.worst.path else "",
                direction=_direction(cells),
                factor=factor(e, a, cells),
                cause=naming.name(ColumnChange(str(name), e, a, cells.rows, cells.flips, elsewhere, inputs.nulls))
                if len(changed) or not is_same_type(e, a)
                else None,
            )
        )
    missing = tuple(str(name) for name in expected.columns if name not in actual.columns)
    extra = tuple(str(name) for name in actual.columns if name not in expected.columns)
    settled = control_false_discoveries(drifts) if distributions and drifts else drifts
    return Parity(
        key=key,
        rows_expected=len(expected),
        rows_actual=len(actual),
        rows_compared=rows_compared,
        key_dtype_expected=key_expected.logical,
        key_dtype_actual=key_actual.logical,
        key_dtype_ok=is_same_type(key_expected, key_actual),
        missing_keys=_key_set(key_expected, rows.missing),
        extra_keys=_key_set(key_actual, rows.extra),
        duplicate_keys=_duplicates(key_expected, key_actual, rows),
        null_keys=KeySet(len(rows.nulls_expected) + len(rows.nulls_actual)),
        missing_columns=missing,
        extra_columns=extra,
        renamed=renamed(missing, extra, was, now, rows_compared),
        column_order_ok=[name for name in actual.columns if name in expected.columns]
        == [name for name in expected.columns if name in actual.columns],
        row_order_ok=rows.in_order,
        columns=tuple(
            replace(c, psi=d.psi, psi_critical=d.psi_critical, p_value=d.p_value, drifted=d.drifted)
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


def _check_columns(frame: pd.DataFrame, name: str, key: str) -> None:
    repeated = frame.columns[frame.columns.duplicated()].unique()
    if len(repeated):
        listed = ", ".join(f"'{label}'" for label in repeated)
        raise PipelineError(
            f"The {name} frame has more than one column named {listed}. A name must stand for one column."
        )
    if key not in frame.columns:
        listed = ", ".join(str(label) for label in frame.columns) or "none"
        close = nearest(key, [str(label) for label in frame.columns])
        indexed = " It is the index: use reset_index()." if key in frame.index.names else ""
        raise PipelineError(f"The {name} frame has no key column '{key}'. Columns: {listed}.{close}{indexed}")


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


def _names(keys: Column, taken: Array | None, rows: Array) -> tuple[str, ...]:
    at = rows if taken is None else taken[rows]
    return tuple(str(cell) for cell in keys.take(at.astype(np.int64)).objects()) if len(at) else ()


def _key_set(keys: Column, rows: Array) -> KeySet:
    return KeySet(len(rows), _names(keys, None, rows[:_SAMPLE]))


def _duplicates(expected: Column, actual: Column, rows: Alignment) -> KeySet:
    named = _names(actual, None, rows.duplicates_actual[:_SAMPLE]) or _names(
        expected, None, rows.duplicates_expected[:_SAMPLE]
    )
    count = len(rows.duplicates_expected) + len(rows.duplicates_actual)
    return KeySet(count, tuple(dict.fromkeys(named)))
