"""What differs between the frame that a stage hands over for many requests and those for few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from pandas.api.types import is_object_dtype

from seatrial.formatting import plural

SHOWN = 3  # differences in a message


def handed_over(
    whole: pd.DataFrame, pieces: Sequence[pd.DataFrame], failed: Sequence[pd.DataFrame]
) -> tuple[str, list[str]]:
    """Return a sentence, and the columns, of what differs in form; values of cells are never in it.

    Args:
        whole: what the stage returns for all requests in one batch.
        pieces: what it returns for each of other batches.
        failed: those of them on which the next stage raised; where there are some, they alone are looked at.
    """
    found: dict[str, str] = {}
    for piece in failed or pieces:
        for name in (c for c in whole.columns if c in piece.columns):
            if name not in found and (text := _column(str(name), whole[name], piece[name])):
                found[str(name)] = text
        if "" not in found and _is_range(whole.index) and not _is_range(piece.index):
            found[""] = "its index is not 0…n-1, because rows were filtered or moved and kept their labels"
    if not found:
        return "No difference in types, categories or index between the two was found.", []
    texts = list(found.values())
    more = f"; and {plural(len(texts) - SHOWN, 'more difference')}" if len(texts) > SHOWN else ""
    return f"In smaller batches {'; '.join(texts[:SHOWN])}{more}.", [name for name in found if name]


def _column(name: str, whole: pd.Series, piece: pd.Series) -> str:
    a, b = whole.dtype, piece.dtype
    if isinstance(a, pd.CategoricalDtype) and isinstance(b, pd.CategoricalDtype):
        if len(a.categories) != len(b.categories):
            return (
                f"'{name}' has {plural(len(b.categories), 'category', 'categories')} instead of {len(a.categories):,}"
            )
        if list(a.categories) != list(b.categories):
            return f"'{name}' has other categories, or in another order"
        return "" if a.ordered == b.ordered else f"'{name}' is an ordered category in one of them only"
    if str(a) != str(b):
        return f"'{name}' has type {b} instead of {a}"
    if is_object_dtype(a) and len(piece):
        return _objects(name, whole, piece)
    return ""


def _objects(name: str, whole: pd.Series, piece: pd.Series) -> str:
    if piece.isna().all() and not whole.isna().all():
        return f"'{name}' holds nulls alone"
    kinds, known = _kinds(piece), _kinds(whole)
    new = sorted(kinds - known)
    return f"'{name}' holds cells of type {new[0]}" if new else ""


def _kinds(cells: pd.Series) -> set[str]:
    return {type(cell).__name__ for cell in _some(cells)}


def _some(cells: pd.Series) -> Any:
    return cells.iloc[:10_000]


def _is_range(index: pd.Index) -> bool:
    return index.nlevels == 1 and bool(index.equals(pd.RangeIndex(len(index))))
