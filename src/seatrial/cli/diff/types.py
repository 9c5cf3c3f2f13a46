"""Columns of two files with types that can be compared.

Text files have no types: pandas infers them, from the cells that happen to be there. A column of integers with one
null, or a column without any value, would differ in its type and in nothing else. So the type of a column of two text
files is the one that all its cells in both files have, and a column of one text file has the type that the other file
states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types as is_

from seatrial.cli.diff.files import File

EXACT = 2**53  # up to it, a float64 holds every integer


def agreed(files: tuple[File, File], wanted: Sequence[Sequence[str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the wanted columns of both files; those that both have with types that can be compared.

    Raises:
        UsageError: a file cannot be read.
    """
    a, b = files
    first, second = a.read(wanted[0]), b.read(wanted[1])
    shared = [name for name in wanted[0] if name in wanted[1]]
    if a.texts and b.texts:
        textual = [name for name in shared if not _unified(first, second, name)]
        codes = [n for n in shared if n not in textual and is_.is_integer_dtype(first[n].dtype)]
        if textual or codes:
            x, y = a.texts([*textual, *codes]), b.texts([*textual, *codes])
            for name in [*textual, *(n for n in codes if _is_code(x[n]) or _is_code(y[n]))]:
                first[name], second[name] = x[name], y[name]
    elif a.texts or b.texts:
        text, (untyped, typed) = (a, (first, second)) if a.texts else (b, (second, first))
        assert text.texts is not None
        texts = text.texts(shared)
        for name in shared:
            typed[name] = _decoded(typed[name])
            untyped[name] = _typed(texts[name], untyped[name], typed[name].dtype)
    for name in shared:
        _borrow(first, second, name)
    return first, second


def _unified(first: pd.DataFrame, second: pd.DataFrame, name: str) -> bool:
    """Give both columns of text files one type, and return whether there is one besides text."""
    x, y = first[name], second[name]
    if x.dtype == y.dtype or x.isna().all() or y.isna().all():  # of nulls alone: see _borrow
        return True
    if not all(is_.is_numeric_dtype(c.dtype) and not is_.is_bool_dtype(c.dtype) for c in (x, y)):
        return False
    if is_.is_integer_dtype(x.dtype) and is_.is_integer_dtype(y.dtype):  # one has integers beyond int64
        return False
    to = "Int64" if all(map(_whole, (x, y))) else "Float64"
    first[name], second[name] = x.astype(to), y.astype(to)
    return True


def _whole(column: pd.Series) -> bool:
    """Whether each number of a column is an integer that float64 holds exactly."""
    if is_.is_integer_dtype(column.dtype):
        return bool(column.dtype == "Int64")
    values = column.to_numpy(dtype="float64", na_value=0.0)
    return bool(np.all((values == np.trunc(values)) & (np.abs(values) < EXACT)))


def _is_code(texts: pd.Series) -> bool:
    """Whether digits begin with a zero, as postal codes do: as integers, 007 and 7 would be the same."""
    return bool(texts.str.match(r"\s*[+-]?0[0-9]", na=False).any())


def _decoded(column: pd.Series) -> pd.Series:
    """Return a column of categories as one of its values: text has no categories."""
    dtype = column.dtype
    if isinstance(dtype, pd.ArrowDtype) and pa.types.is_dictionary(dtype.pyarrow_dtype):
        return column.astype(pd.ArrowDtype(dtype.pyarrow_dtype.value_type))
    return column


def _typed(texts: pd.Series, inferred: pd.Series, dtype: object) -> pd.Series:
    """Return a column of a text file with the type of the other file, or as inferred where its cells are not such."""
    if not isinstance(dtype, pd.ArrowDtype):
        return inferred
    kind = dtype.pyarrow_dtype
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return texts
    cells = pa.array(texts, pa.string(), from_pandas=True)
    ways: list[Callable[[], Any]] = [lambda: cells.cast(kind)]
    if pa.types.is_integer(kind):  # pandas writes integers beside a null with a point
        ways.append(lambda: cells.cast(pa.float64()).cast(kind))
    if pa.types.is_timestamp(kind):
        ways.append(lambda: pa.array(pd.to_datetime(texts, utc=kind.tz is not None, format="ISO8601")).cast(kind))
    for way in ways:
        try:
            return pd.Series(pd.array(way(), dtype=dtype), index=inferred.index, name=inferred.name)
        except (pa.ArrowException, ValueError, TypeError):
            continue
    return inferred


def _borrow(first: pd.DataFrame, second: pd.DataFrame, name: str) -> None:
    """Give a column of nulls alone the type of the other side: it has none of its own."""
    for frame, other in ((first, second), (second, first)):
        column, dtype = frame[name], other[name].dtype
        if column.dtype == dtype or not column.isna().all():
            continue
        if _is_typeless(column) or not other[name].isna().all():
            frame[name] = pd.Series(pd.array([None] * len(column), dtype=dtype), index=column.index)


def _is_typeless(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.ArrowDtype) and pa.types.is_null(column.dtype.pyarrow_dtype)
