"""The stock expectations of a stage: its schema, and the parity frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from seatrial.parity.result import Parity


def schema_expectations(columns: Sequence[str]) -> list[Any]:
    """Return the expectations of a schema: exactly these columns; another order is only a warning."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectTableColumnsToMatchSet(
            column_set=list(columns), exact_match=True, description="the frame has exactly the reference columns"
        ),
        gxe.ExpectTableColumnsToMatchOrderedList(
            column_list=list(columns), severity="warning", description="the columns are in the order of the reference"
        ),
    ]


def parity_expectations(features: Sequence[str], rows: int) -> list[Any]:
    """Return the expectations of a parity frame: one row a feature, each over all rows, none above its allowance."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectTableRowCountToEqual(value=len(features), description="the parity frame has one row a feature"),
        gxe.ExpectColumnDistinctValuesToEqualSet(
            column="feature", value_set=list(features), description="every reference feature was compared"
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="complete", value_set=[True], description="every statistic is present"
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="rows", min_value=rows, max_value=rows, description="every reference row was compared"
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="dtype_ok", value_set=[True], description="the type matches the reference"
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="allowed", column_B="mismatches", or_equal=True, description="no more rows differ than allowed"
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="null_flips", min_value=0, max_value=0, description="nulls match the reference"
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="drifted", value_set=[False], severity="warning", description="the distribution has not moved"
        ),
    ]  # fmt: skip


def parity_frame(parity: Parity) -> pd.DataFrame:
    """Return the parity frame with a row for each key column.

    Keys without a partner count as mismatches, and so do requests in another order where it is part of the answer;
    null keys count as flips.
    """
    sets = (parity.missing_keys, parity.extra_keys, parity.duplicate_keys)
    frame = parity.frame
    moved = 0 if parity.order.ok else parity.order.moved.count
    row = {
        "dtype_ok": parity.key_dtype_ok,
        "rows": parity.rows_compared,
        "mismatches": sum(keys.count for keys in sets) + moved,
        "allowed": 0,
        "null_flips": parity.null_keys.count,
        "max_abs_diff": 0.0,
        "max_rel_diff": 0.0,
        "worst_key": "",
        "psi": 0.0,
        "psi_critical": 0.0,
        "p_value": 1.0,
        "drifted": False,
    }
    rows = [{"feature": name, **row} for name in parity.key_columns]
    key = pd.DataFrame(rows, columns=frame.columns).astype(frame.dtypes.to_dict())
    whole = pd.concat([key, frame], ignore_index=True) if len(frame) else key
    return whole.assign(complete=whole.notna().all(axis="columns"))  # Great Expectations skips nulls
