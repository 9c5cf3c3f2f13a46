"""The difference of two files as JSON: the only complete form."""

from __future__ import annotations

import json
import math
from typing import Any

from seatrial.parity.result import ColumnParity, KeySet
from seatrial.sinks.difference.result import Difference, cause

FORMAT = 1


def to_json(difference: Difference) -> str:
    """Return everything as strict JSON text. A number that JSON has no form for is its name as text.

    Example::

        {"format": 1, "outcome": "different", "exit_code": 1, "columns": [{"column": "score", "mismatches": 12, …
    """
    parity = difference.parity
    body = {
        "format": FORMAT,
        "outcome": difference.outcome,
        "exit_code": difference.exit_code,
        "summary": difference.summary,
        "expected": difference.expected,
        "actual": difference.actual,
        "key": list(difference.key),
        "rows_expected": parity.rows_expected,
        "rows_actual": parity.rows_actual,
        "rows_compared": parity.rows_compared,
        "columns_compared": len(parity.columns),
        "obstacles": list(difference.obstacles),
        "differences": list(difference.differences),
        "notes": list(difference.notes),
        "missing_keys": _keys(parity.missing_keys),
        "extra_keys": _keys(parity.extra_keys),
        "duplicate_keys": _keys(parity.duplicate_keys),
        "null_keys": _keys(parity.null_keys),
        "missing_columns": list(parity.missing_columns),
        "extra_columns": list(parity.extra_columns),
        "columns": [_column(c) for c in parity.columns],
    }
    return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False)


def _keys(keys: KeySet) -> dict[str, Any]:
    return {"count": keys.count, "sample": list(keys.sample)}


def _column(column: ColumnParity) -> dict[str, Any]:
    return {
        "column": column.column,
        "same": column.ok,
        "type_expected": column.dtype_expected,
        "type_actual": column.dtype_actual,
        "rows": column.rows,
        "mismatches": column.mismatches,
        "allowed": column.allowed,
        "null_flips": column.null_flips,
        "max_abs_diff": _finite(column.max_abs_diff),
        "max_rel_diff": _finite(column.max_rel_diff),
        "cause": column.cause.name if column.cause else None,
        "explanation": cause(column),
        "keys": list(column.worst_keys),
    }


def _finite(value: float) -> float | str:
    return float(value) if math.isfinite(value) else str(float(value))
