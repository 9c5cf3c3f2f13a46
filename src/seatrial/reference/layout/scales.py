"""The rows that set the scale of a stage's columns, read once in a process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from seatrial.parity.columns import sampled
from seatrial.parity.scale import SAMPLE

_MOST = 64  # stages that are remembered
_KNOWN: dict[tuple[Path, str, str], pd.DataFrame] = {}


def scale_of(root: Path, digest: str, stage: str, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Return rows of a stage of the reference in a directory.

    Args:
        root: the directory.
        digest: of the reference.
        stage: the stage.
        read: returns rows of it, the first time.
    """
    name = (root, digest, stage)
    if (found := _KNOWN.get(name)) is None:
        if len(_KNOWN) >= _MOST:
            _KNOWN.clear()
        some = read()
        found = _KNOWN[name] = some.iloc[sampled(len(some), SAMPLE)]
    return found
