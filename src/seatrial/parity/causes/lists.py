"""Causes that show in lists: their order, their length, and the numbers in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seatrial.parity.causes.change import Cause, ColumnChange, identity
from seatrial.parity.columns import Array, Column

LISTS = 1_000  # differing lists looked at; each may be long

Lists = list[tuple[Any, Any]]


def lists_of(change: ColumnChange) -> tuple[Lists, Lists] | None:
    """Return pairs of lists that differ and pairs that do not; None where cells are no lists."""
    if not (_listed(change.expected) and _listed(change.actual)):
        return None
    differ, same = (_pairs(change, rows[:LISTS]) for rows in (change.sample, change.unchanged))
    if not differ or not all(_is_list(x) and _is_list(y) for x, y in differ + same):
        return None
    return differ, same


def _listed(side: Column) -> bool:
    return side.kind in ("list", "object") or side.logical.startswith(("list", "array", "fixed"))


def _pairs(change: ColumnChange, rows: Array) -> Lists:
    return list(zip(change.expected.take(rows).objects(), change.actual.take(rows).objects(), strict=True))


def _is_list(cell: object) -> bool:
    return isinstance(cell, (list, tuple, np.ndarray))


def list_form(change: ColumnChange) -> Cause | None:
    """The same items in another order, or fewer of them."""
    found = lists_of(change)
    if found is None:
        return None
    differ, same = found
    for name, how, alike in _FORMS:
        hits = np.array([alike(list(x), list(y)) for x, y in differ], dtype=bool)
        if change.explains(hits):
            return change.cause(name, how, hits)
    return _cut(change, differ, same)


def _items(items: list[Any]) -> list[str]:
    return [identity(item) for item in items]


_FORMS: tuple[tuple[str, str, Callable[[list[Any], list[Any]], bool]], ...] = (
    ("list-order", "lists are in reverse", lambda x, y: len(x) > 1 and _items(x[::-1]) == _items(y)),
    ("list-order", "lists hold the same items in another order", lambda x, y: sorted(_items(x)) == sorted(_items(y))),
    ("list-duplicates", "lists hold the same items, each once or several times,",
     lambda x, y: set(_items(x)) == set(_items(y))),
)  # fmt: skip


def _cut(change: ColumnChange, differ: Lists, same: Lists) -> Cause | None:
    for name, part in _PARTS.items():
        for cut, how in ((True, "lists are cut"), (False, "lists are no longer cut")):
            pairs = [(list(x), list(y)) if cut else (list(y), list(x)) for x, y in differ]
            hits = np.array([0 < len(y) < len(x) and _items(part(x, len(y))) == _items(y) for x, y in pairs])
            if not change.explains(hits):
                continue
            sizes = {len(y) for _, y in pairs}
            one = len(sizes) == 1 and all(len(x) <= max(sizes) for x, _ in same)
            items = f"{name} {max(sizes):,} items" if one else f"{name} items"
            return change.cause("list-cut", f"{how} to their {items}", hits)
    return None


_PARTS: dict[str, Callable[[list[Any], int], list[Any]]] = {
    "first": lambda x, size: x[:size],
    "last": lambda x, size: x[len(x) - size :],
}


def numbers_in_lists(change: ColumnChange) -> ColumnChange | None:
    """Return the change of the numbers in lists that are as long as before; None where others are in them."""
    found = lists_of(change)
    if found is None:
        return None
    differ, same = found
    pairs = [(_numbers(x), _numbers(y)) for x, y in [*differ, *same]]
    if any(x is None or y is None or len(x) != len(y) for x, y in pairs):
        return None
    e, a = (np.concatenate([pair[n] for pair in pairs]) for n in (0, 1))
    changed = ColumnChange(change.column, *_columns(change, e, a), np.empty(0, dtype=np.int64), np.empty(0, np.int64))
    apart = np.flatnonzero(~changed.close(e, a) & (e != a))
    return ColumnChange(
        change.column, changed.expected, changed.actual, apart, changed.flips, most=change.most, least=change.least
    )


def vector_norm(change: ColumnChange) -> Cause | None:
    """Vectors that are brought to length 1, or no longer are."""
    found = lists_of(change)
    if found is None:
        return None
    pairs = [(_numbers(x), _numbers(y)) for x, y in found[0]]
    if any(x is None or y is None or len(x) != len(y) or len(x) < 2 for x, y in pairs):
        return None
    for n, how in ((0, "actual vectors are expected ones brought to length 1"),
                   (1, "actual vectors are not brought to length 1, expected ones are,")):  # fmt: skip
        hits = np.array([_is_unit(pair[n], pair[1 - n]) for pair in pairs], dtype=bool)
        if change.explains(hits):
            return change.cause("vector-norm", how, hits)
    return None


def _is_unit(x: Any, y: Any) -> bool:
    norm = float(np.linalg.norm(x))
    return norm > 0 and bool(np.allclose(x / norm, y, rtol=1e-5, atol=1e-7))


def _numbers(cell: Any) -> Array | None:
    try:
        array = np.asarray(cell)
    except ValueError:  # lists of several lengths in one
        return None
    return array.astype(np.float64).ravel() if array.dtype.kind in "iuf" else None


def _columns(change: ColumnChange, e: Array, a: Array) -> tuple[Column, Column]:
    sides = []
    for side, values in ((change.expected, e), (change.actual, a)):
        narrow = next((name for name in ("float32", "float16") if name in side.logical), "float64")
        sides.append(Column("number", narrow, values))
    return sides[0], sides[1]
