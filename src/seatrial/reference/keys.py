"""The keys that a dependency was asked for: as a frame, as an index, and whether what it answered follows them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def keys_of(value: Any) -> pd.DataFrame:
    """Return keys as a frame, one column a key column, with the index they came with."""
    if isinstance(value, pd.DataFrame | pd.MultiIndex):
        frame = value if isinstance(value, pd.DataFrame) else value.to_frame(index=False)
    else:
        values = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        series = values if isinstance(values, pd.Series) else pd.Series(values)
        name = getattr(value, "name", None)
        frame = series.rename("key" if name is None else str(name)).to_frame()
    if categories := {c: t.categories.dtype for c, t in frame.dtypes.items() if isinstance(t, pd.CategoricalDtype)}:
        frame = frame.astype(categories)
    return frame.set_axis([str(c) for c in frame.columns], axis=1)


def index_of(keys: pd.DataFrame) -> pd.Index:
    """Return keys as one index in which equal keys are equal, whatever their dtypes; a null is None."""
    plain = [_cells(keys[c]) for c in keys.columns]
    values = plain[0] if len(plain) == 1 else list(zip(*plain, strict=True))
    return pd.Index(values, dtype=object, tupleize_cols=False)


def _cells(column: pd.Series) -> list[Any]:
    cells = column.tolist()
    nulls = column.isna().to_numpy()
    return [None if null else cell for cell, null in zip(cells, nulls, strict=True)] if nulls.any() else cells


def order_of(asked: pd.Index, rows: pd.Index, body: pd.DataFrame) -> tuple[bool, np.ndarray, np.ndarray]:
    """Return whether the rows follow the asked keys, which rows answer a key's first asking, and each row's place.

    A merge of pandas before 2.2 gives the rows of a key together, once for each asking: they follow the keys too.
    """
    distinct = asked.unique()
    wanted, of = distinct.get_indexer(asked), distinct.get_indexer(rows)
    codes = rows.factorize(use_na_sentinel=False)[0]
    nth = pd.Series(codes).groupby(codes).cumcount().to_numpy(dtype="int64")
    every = np.ones(len(rows), dtype=bool)
    if (of < 0).any():
        return False, every, nth
    times, counts = np.bincount(wanted, minlength=len(distinct)), np.bincount(of, minlength=len(distinct))
    if (counts % times).any():
        return False, every, nth
    once = counts // times
    follows = np.array_equal(np.repeat(wanted, once[wanted]), of)
    if not follows and np.array_equal(np.repeat(np.arange(len(distinct)), counts), of):
        again = np.flatnonzero(nth >= once[of])
        first = again - nth[again] + nth[again] % once[of][again]
        follows = body.iloc[again].reset_index(drop=True).equals(body.iloc[first].reset_index(drop=True))
    return (True, nth < once[of], nth) if follows else (False, every, nth)
