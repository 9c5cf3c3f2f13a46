"""Copies of frames that a stage may write into."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pandas as pd


def own_copy(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy that shares nothing with the original, not even lists and dicts in cells.

    Example:
        >>> frame = pd.DataFrame({"id": ["t-1"], "items": [[1, 2]]})
        >>> own_copy(frame)["items"][0].append(3)
        >>> frame["items"][0]
        [1, 2]
    """
    own = frame.copy()
    for name in (n for n, dtype in frame.dtypes.items() if dtype.kind == "O"):
        if isinstance(next(iter(frame[name].dropna()), None), list | dict | set | np.ndarray):
            own[name] = frame[name].map(deepcopy)
    return own
