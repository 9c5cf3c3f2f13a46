"""Frames of one table, one below the other."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pandas as pd
from pandas.api.types import union_categoricals


def stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return frames of the same columns as one, with an index of its own; one frame as it is.

    A frame without rows says nothing of types. Columns of categories keep their type: where the categories differ, all
    of them are there.

    Example:
        >>> parts = [pd.DataFrame({"kind": pd.Categorical([kind])}) for kind in "ab"]
        >>> stacked(parts)["kind"].cat.categories.tolist()
        ['a', 'b']
    """
    if len(frames) == 1:
        return frames[0]
    filled = [frame for frame in frames if len(frame)] or list(frames[:1])
    every = [name for name, dtype in filled[0].dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
    for name in every:
        cells = [frame.get(name) for frame in filled]
        if all(c is not None and isinstance(c.dtype, pd.CategoricalDtype) for c in cells):
            with contextlib.suppress(TypeError):  # categories of several types, or in another order: then plain values
                union = union_categoricals([c.array for c in cells if c is not None]).dtype
                filled = [frame.assign(**{str(name): frame[name].astype(union)}) for frame in filled]
    found = pd.concat(filled, ignore_index=True)
    found.attrs = {**filled[0].attrs}  # the form in which the next stage gets it
    return found
