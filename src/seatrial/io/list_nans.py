"""NaN inside lists, which pyarrow takes for null when it reads a frame."""

from __future__ import annotations

from typing import Any

import pandas as pd


def with_nans(table: Any, frame: pd.DataFrame) -> Any:
    """Return the table of a frame with NaN in the cells of lists, where the frame has it."""
    import pyarrow as pa

    for n, field in enumerate(table.schema):
        if _holds_null_floats(table.column(n)) and frame[field.name].dtype == object:
            cells = frame[field.name].astype(object)
            cells = cells.where(cells.notna(), None)
            table = table.set_column(n, field, pa.array(cells.tolist(), field.type, from_pandas=False))
    return table


def _holds_null_floats(values: Any) -> bool:
    import pyarrow.types as kinds

    depth = 0
    while kinds.is_list(values.type) or kinds.is_large_list(values.type) or kinds.is_fixed_size_list(values.type):
        values, depth = values.combine_chunks().flatten() if depth == 0 else values.flatten(), depth + 1
    return depth > 0 and kinds.is_floating(values.type) and values.null_count > 0
