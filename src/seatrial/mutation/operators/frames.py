"""Faults on a frame that happen in production, each a function from the frame and a column to the frame with the fault.

A fault is seeded by wrapping a stage: its code stays, its answer is what the fault makes of it. Which columns a fault
is for stands in its ``fits``; a fault of the whole frame fits none and is given the key's name.
"""

from __future__ import annotations

import pandas as pd

from seatrial.mutation.operators import numbers, rows, text  # noqa: F401  each puts its faults on the list
from seatrial.mutation.operators.base import KINDS, Kind

__all__ = ["KINDS", "faults_of"]


def faults_of(frame: pd.DataFrame, key: str) -> list[tuple[Kind, tuple[str, ...]]]:
    """Return every fault that fits a frame, with what it is applied to beside the frame."""
    found: list[tuple[Kind, tuple[str, ...]]] = []
    columns = [c for c in frame.columns if c != key]
    for kind in KINDS.values():
        if kind.fits is None:
            found.append((kind, (key,)))
            continue
        for column in (c for c in columns if kind.fits(frame[c])):
            alike = [c for c in columns if frame[c].dtype == frame[column].dtype]
            other = alike[(alike.index(column) + 1) % len(alike)]
            if not kind.pairs:
                found.append((kind, (column,)))
            elif alike.index(column) < len(alike) - 1 or len(alike) > 2:
                found.append((kind, (column, other)))
    return found
