"""Causes that show in times: hours and weekdays as numbers, and timestamps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seatrial.parity.causes.change import Cause, ColumnChange, distinct
from seatrial.parity.columns import TICKS, Array, Column

ZONES = 8  # offsets that explain a column of hours; random hours would need all 24


def hour_of_day(change: ColumnChange) -> Cause | None:
    """Hours of the day, turned: 23 becomes 1. A turn past midnight tells an hour from any other small number."""
    found = _turns(change, 24)
    if found is None:
        return None
    turn, turns = found
    if not any(_wraps(change, by) for by in turns[:2]):
        return None
    one, two = turn == turns[0], np.isin(turn, turns[:2])
    if change.explains(one):
        return change.cause("shifted-timezone", f"hours of the day are shifted by {_by(turns[0])}", one)
    if change.explains(two) and abs(turns[0] - turns[1]) in (1, 23):
        by = " or ".join(_by(t) for t in sorted(turns[:2]))
        return change.cause("shifted-timezone", f"hours of the day are shifted by {by} (daylight saving)", two)
    zones = np.isin(turn, turns[:ZONES])
    if len(turn) >= 10 * ZONES and distinct(change.numbers[0], 20) and change.explains(zones):  # type: ignore[index]
        many = f"hours of the day are shifted by {min(len(turns), ZONES)} different offsets"
        return change.cause("shifted-timezone", f"{many}, as with a time zone per row,", zones)
    return None


def weekday(change: ColumnChange) -> Cause | None:
    """Days of the week, counted from another day."""
    for first in (0, 1):
        found = _turns(change, 7, first)
        if found is None or not change.holds(_everywhere(change, 7, found[1][0])) or not _wraps(change, found[1][0], 7):
            continue
        return change.cause("weekday-numbering", "days of the week are counted from another day")
    return None


def _turns(change: ColumnChange, period: int, first: int = 0) -> tuple[Array, Array] | None:
    """Return by how much each differing row is turned, and the turns, the most frequent first."""
    if change.numbers is None or not all(side.kind == "number" for side in (change.expected, change.actual)):
        return None
    for side in change.numbers:
        if not np.all((side >= first) & (side <= first + period - 1) & (side == np.rint(side))):
            return None
    e, a = (side[: change.differing] for side in change.numbers)
    if not distinct(e, 3):
        return None
    turn = np.mod(a - e, period)
    turns, counts = np.unique(turn, return_counts=True)
    return turn, turns[np.argsort(-counts, kind="stable")]


def _everywhere(change: ColumnChange, period: int, by: float) -> Array:
    assert change.numbers is not None
    e, a = change.numbers
    return np.asarray(np.mod(a - e, period) == by)


def _wraps(change: ColumnChange, by: float, period: int = 24) -> bool:
    """Whether rows are turned by so much both within the day and past its end."""
    assert change.numbers is not None
    e, a = change.numbers
    return bool(np.any(a - e == by) and np.any(a - e == by - period))


def _by(turn: float) -> str:
    return f"{int(turn) if turn <= 12 else int(turn) - 24:+d} h"


def timezone(change: ColumnChange) -> Cause | None:
    """Timestamps moved by whole quarters of an hour, one or (summer and winter) two of them."""
    shifts = change.seconds
    if shifts is None:
        return None
    counted, counts = np.unique(shifts, return_counts=True)
    common = counted[np.argsort(-counts, kind="stable")[:2]]
    quarters = common[(np.mod(common, 900) == 0) & (np.abs(common) <= 14 * 3600)]
    one = shifts == common[0]
    if change.explains(one):
        if len(quarters) and quarters[0] == common[0]:
            return change.cause("shifted-timezone", f"actual is {_later(common[0])}", one)
        side = "later" if common[0] > 0 else "earlier"
        return change.cause("constant-offset", f"actual is {abs(common[0]):,.10g} s {side}", one)
    two = np.isin(shifts, quarters)
    if len(quarters) == 2 and abs(quarters[0] - quarters[1]) == 3600 and change.explains(two):
        both = " or ".join(_later(shift) for shift in quarters)
        return change.cause("shifted-timezone", f"actual is {both} (daylight saving)", two)
    return None


def _later(seconds: float) -> str:
    return f"{abs(seconds) / 3600:g} h {'later' if seconds > 0 else 'earlier'}"


def day_month_swap(change: ColumnChange) -> Cause | None:
    """03/04 read as the third of April and as the fourth of March."""
    if change.seconds is None:
        return None
    e, a = (_timestamps(side) for side in change.sides)
    hits = (e.day == a.month) & (e.month == a.day) & (e.year == a.year)
    hits &= (e - e.normalize()) == (a - a.normalize())
    return change.cause("day-month-swap", "day and month are swapped", hits) if change.explains(hits) else None


def epoch_unit(change: ColumnChange) -> Cause | None:
    """A count since 1970 read in another unit, such as milliseconds as seconds."""
    if change.seconds is None or not distinct(change.sides[0].values, 3):
        return None
    e, a = (side.values / TICKS[side.unit] for side in change.sides)
    for factor in (1e3, 1e6, 1e9):
        for x, y, written in ((e, a, "×"), (a, e, "÷")):
            # what does not fit into the coarser unit is cut
            hits = np.abs(y - x * factor) <= np.maximum(factor, 1e-6 * np.abs(y))
            if change.explains(hits & (np.abs(x) > 1)):
                how = f"the time since 1970 is {written} {factor:,.0f}"
                return change.cause("unit-factor", how, hits, "it is read in another unit")
    return None


def time_truncation(change: ColumnChange) -> Cause | None:
    """Timestamps cut, or rounded, to a coarser unit."""
    if change.seconds is None:
        return None
    e, a = (_timestamps(side.take(change.looked)) for side in (change.expected, change.actual))
    for unit, words in _UNITS.items():
        for brought, name, how in (
            (e.floor(unit), "truncation", "cut"),
            (e.round(unit), "rounding", "rounded"),
        ):
            hits = np.asarray(brought == a)
            if change.holds(hits) is not False:
                return change.cause(name, f"timestamps are {how} to whole {words}", hits)
    return None


_UNITS = {"D": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "ms", "us": "µs"}


def _timestamps(side: Column) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(side.values.view(f"M8[{side.unit}]"))
