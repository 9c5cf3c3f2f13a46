"""Frame operators: changes of a frame that happen in production, each a function from frame and column to a frame.

A frame mutant wraps a stage: its code is unchanged, its result is changed by the operator. ``fits`` says which columns
an operator applies to; for an operator of the whole frame it is None, and the operator receives the key columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from seatrial.mutation.operators import numbers, rows, text  # noqa: F401  each registers its operators
from seatrial.mutation.operators.base import OPERATORS, FrameOperator
from seatrial.pipeline import key_columns

__all__ = ["OPERATORS", "applicable_operators"]


def applicable_operators(frame: pd.DataFrame, key: str | Sequence[str]) -> list[tuple[FrameOperator, tuple[str, ...]]]:
    """Return every operator that applies to a frame, with the columns it is called with."""
    found: list[tuple[FrameOperator, tuple[str, ...]]] = []
    names = key_columns(key)
    columns = [c for c in frame.columns if c not in names]
    for operator in OPERATORS.values():
        if operator.fits is None:
            found.append((operator, names))
            continue
        for column in (c for c in columns if operator.fits(frame[c])):
            alike = [c for c in columns if frame[c].dtype == frame[column].dtype]
            other = alike[(alike.index(column) + 1) % len(alike)]
            if not operator.pairs:
                found.append((operator, (column,)))
            elif alike.index(column) < len(alike) - 1 or len(alike) > 2:
                found.append((operator, (column, other)))
    return found
