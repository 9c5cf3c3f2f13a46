"""Causes that show in text, in timestamps and in lists."""

from __future__ import annotations

from collections.abc import Callable
from unicodedata import normalize

import numpy as np
import pandas as pd

from seatrial.parity.causes.change import Cause, ColumnChange
from seatrial.parity.columns import Array, Column


def text_form(change: ColumnChange) -> Cause | None:
    """The same text in another case, with other white space, in another Unicode form or encoding."""
    if change.texts is None:
        return None
    for name, words, form in _FORMS:
        hits = np.array([form(x) == form(y) for x, y in zip(*change.texts, strict=True)], dtype=bool)
        if change.explains(hits):
            return Cause(name, f"text differs only in {words} in {change.count(hits)}")
    for name, words, twist in _TWISTS:
        hits = np.array([twist(x, y) for x, y in zip(*change.texts, strict=True)], dtype=bool)
        if change.explains(hits):
            return Cause(name, f"{words} in {change.count(hits)}")
    return None


def _as_number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _misread(x: str, y: str) -> bool:
    for codec in ("latin-1", "cp1252"):
        try:
            if x.encode().decode(codec) == y or y.encode().decode(codec) == x:
                return True
        except UnicodeError:
            continue
    return False


_FORMS: tuple[tuple[str, str, Callable[[str], object]], ...] = (
    ("text-case", "case", str.casefold),
    ("text-whitespace", "white space", lambda text: " ".join(text.split())),
    ("text-unicode", "Unicode normalisation", lambda text: normalize("NFKC", text)),
    ("text-form", "case, white space and Unicode form", lambda t: " ".join(normalize("NFKC", t).casefold().split())),
    ("leading-zeros", "leading zeros", lambda text: text.lstrip("0")),
    ("number-format", "the way the same number is written", _as_number),
)
_TWISTS: tuple[tuple[str, str, Callable[[str, str], bool]], ...] = (
    ("text-encoding", "UTF-8 text was read in another encoding", _misread),
    ("text-truncated", "actual is the beginning of expected", lambda x, y: y != "" and x.startswith(y)),
)


def timezone(change: ColumnChange) -> Cause | None:
    """Timestamps moved by whole quarters of an hour, one or (summer and winter) two of them."""
    if change.seconds is None:
        return None
    shifts, _ = change.seconds
    counted, counts = np.unique(shifts, return_counts=True)
    common = counted[np.argsort(-counts, kind="stable")[:2]]
    quarters = common[(np.mod(common, 900) == 0) & (np.abs(common) <= 14 * 3600)]
    one = shifts == common[0]
    if change.explains(one):
        if len(quarters) and quarters[0] == common[0]:
            return Cause("shifted-timezone", f"actual is {_hours(common[0])} in {change.count(one)}")
        side = "later" if common[0] > 0 else "earlier"
        return Cause("constant-offset", f"actual is {abs(common[0]):g} s {side} in {change.count(one)}")
    two = np.isin(shifts, quarters)
    if len(quarters) == 2 and abs(quarters[0] - quarters[1]) == 3600 and change.explains(two):
        both = " or ".join(_hours(shift) for shift in quarters)
        return Cause("shifted-timezone", f"actual is {both} (daylight saving) in {change.count(two)}")
    return None


def _hours(seconds: float) -> str:
    return f"{abs(seconds) / 3600:g} h {'later' if seconds > 0 else 'earlier'}"


def day_month_swap(change: ColumnChange) -> Cause | None:
    """03/04 read as the third of April and as the fourth of March."""
    if change.seconds is None:
        return None
    e, a = (_timestamps(side) for side in change.sides)
    hits = (e.day == a.month) & (e.month == a.day) & (e.year == a.year)
    hits &= (e - e.normalize()) == (a - a.normalize())
    if change.explains(np.asarray(hits)):
        return Cause("day-month-swap", f"day and month are swapped in {change.count(np.asarray(hits))}")
    return None


def time_truncation(change: ColumnChange) -> Cause | None:
    """Timestamps cut to a coarser unit."""
    if change.seconds is None:
        return None
    e, a = (_timestamps(side) for side in change.sides)
    for unit, words in (
        ("D", "days"),
        ("h", "hours"),
        ("min", "minutes"),
        ("s", "seconds"),
        ("ms", "ms"),
        ("us", "µs"),
    ):
        hits = np.asarray(e.floor(unit) == a)
        if change.explains(hits):
            return Cause("truncation", f"timestamps are cut to whole {words} in {change.count(hits)}")
    return None


def _timestamps(side: Column) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(side.values.view(f"M8[{side.unit}]"))


def list_order(change: ColumnChange) -> Cause | None:
    """The same items in another order."""
    e, a = change.sides
    if e.kind != "list" or a.kind != "list":
        return None
    pairs = zip(e.objects(), a.objects(), strict=True)
    hits: Array = np.array([sorted(map(repr, x)) == sorted(map(repr, y)) for x, y in pairs], dtype=bool)
    if change.explains(hits):
        return Cause("list-order", f"lists hold the same items in another order in {change.count(hits)}")
    return None
