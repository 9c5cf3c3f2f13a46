"""Compare two cells of any kind, value by value, to any depth.

What is the same: NaN and NaN; null (None, NA, NaT) and null; numbers within their bounds, whatever type holds them;
dicts with the same names, in any order; lists, tuples and arrays with the same values in the same order; 1.0 and 1.00.
What differs: null and NaN, a name that is missing and one that is null, a boolean and a number, text and bytes.
"""

from __future__ import annotations

import datetime as dt
import math
import pickle
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pandas as pd

from seatrial.parity.cells.arrays import complexes, floats, integers, within_ulp
from seatrial.parity.cells.difference import place_of
from seatrial.parity.cells.rules import Path, Rule, Scales, written
from seatrial.parity.columns import Array

_UTC = dt.timezone(dt.timedelta(0))

_REALS = (int, float, np.integer, np.floating, Decimal, Fraction)
_ROWS = (list, tuple, np.ndarray)
_TIMES = (dt.date, dt.time, dt.timedelta, np.datetime64, np.timedelta64)


class Walk:
    """One walk through two cells: whether any value differs, the largest difference and its place."""

    def __init__(self, scales: Scales) -> None:
        self.scales = scales
        self.max_abs = self.max_rel = 0.0
        self.size, self.path = -1.0, cast(Path, ())  # of the largest difference beyond its bounds
        self.signed: float | None = None  # actual - expected, where the two cells themselves are numbers

    @property
    def place(self) -> str:
        """The path of the largest difference, empty for the cell itself."""
        return written(self.path)

    def differ(self, x: Any, y: Any, rule: Rule, path: Path = ()) -> bool:
        """Return whether two cells differ; what cannot be compared cannot be called the same."""
        try:
            return self._differ(x, y, rule, path)
        except Exception:  # noqa: BLE001 - a cell's own comparison may raise anything
            return self._found(path)

    def _found(self, path: Path, size: float = np.inf) -> bool:
        if size > self.size:
            self.size, self.path = size, path
        return True

    def _differ(self, x: Any, y: Any, rule: Rule, path: Path) -> bool:  # noqa: PLR0911 - a kind each
        if rule.parse is not None and isinstance(x, (str, bytes)) and isinstance(y, (str, bytes)):
            x, y = rule.parse(x), rule.parse(y)  # type: ignore[arg-type]
        null_x, null_y = _null(x), _null(y)
        if null_x or null_y:
            return null_x != null_y and self._found(path)
        if rule.apart is not None:
            size = rule.apart(x, y)
            return size is not None and self._found(path, size)
        if isinstance(x, Mapping) and isinstance(y, Mapping):
            return self._names(x, y, rule, path)
        x, y = _plain(x), _plain(y)
        if isinstance(x, _ROWS) and isinstance(y, _ROWS):
            return self._rows(x, y, rule, path)
        if isinstance(x, (set, frozenset)) and isinstance(y, (set, frozenset)):
            return not self._match(list(x), list(y), rule, path) and self._found(path)
        if isinstance(x, (bool, np.bool_)) or isinstance(y, (bool, np.bool_)):
            both = isinstance(x, (bool, np.bool_)) and isinstance(y, (bool, np.bool_))
            return not (both and bool(x) == bool(y)) and self._found(path)
        if isinstance(x, _REALS) and isinstance(y, _REALS):
            return self._number(x, y, rule, path)
        if isinstance(x, str) and isinstance(y, str):
            same = x == y or (rule.text is not None and rule.text(x) == rule.text(y))
            return not same and self._found(path)
        if isinstance(x, (complex, np.complexfloating)) and isinstance(y, (complex, np.complexfloating, *_REALS)):
            return self._arrays(np.array(x), np.array(y, dtype=np.asarray(x).dtype), rule, path)
        if isinstance(x, _TIMES) and isinstance(y, _TIMES):
            return self._time(x, y, rule, path)
        return not _equal(x, y) and self._found(path)

    def _names(self, x: Mapping[Any, Any], y: Mapping[Any, Any], rule: Rule, path: Path) -> bool:
        differs = False
        for name in [*x, *(n for n in y if n not in x)]:
            if name not in x or name not in y:
                differs |= self._found((*path, name))
            else:
                differs |= self.differ(x[name], y[name], rule.enter(name), (*path, name))
        return differs

    def _rows(self, x: Any, y: Any, rule: Rule, path: Path) -> bool:
        if rule.tolerance.as_set:
            return not self._match(list(x), list(y), rule, path) and self._found(path)
        if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
            if x.shape != y.shape:
                return self._found(path)
            if type(rule) is Rule and _together(x, y):
                return self._arrays(x, y, rule, path)
        if len(x) != len(y):
            return self._found(path)
        differs = False
        for n, (p, q) in enumerate(zip(x, y, strict=True)):
            differs |= self.differ(p, q, rule.enter(n), (*path, n))
        return differs

    def _arrays(self, x: Array, y: Array, rule: Rule, path: Path) -> bool:
        """Compare arrays of one shape at once."""
        place = (*path, *[None] * x.ndim)
        limits = rule.bounds(x.dtype.name, y.dtype.name)
        limits = replace(limits, source=lambda: np.array([self.scales.at(place)]))
        e, a = (np.ascontiguousarray(side).ravel() for side in (x, y))
        kernel = complexes if x.dtype.kind == "c" else floats if x.dtype.kind == "f" else integers
        cells = kernel(e, a, limits)
        self.max_abs, self.max_rel = max(self.max_abs, cells.max_abs), max(self.max_rel, cells.max_rel)
        worst = place_of(cells)
        if worst is None:
            return False
        return self._found((*path, *(int(n) for n in np.unravel_index(worst.row, x.shape))), worst.size)

    def _match(self, x: list[Any], y: list[Any], rule: Rule, path: Path) -> bool:
        """Whether each value of one is among those of the other, and the other way round."""
        if all(isinstance(value, str) for value in (*x, *y)) and set(x) == set(y):
            return True
        inner = replace(rule.enter(0), tolerance=replace(rule.tolerance, as_set=False))

        def among(one: Any, others: list[Any]) -> bool:
            return any(not Walk(self.scales).differ(one, other, inner, (*path, 0)) for other in others)

        return all(among(p, y) for p in x) and all(among(q, x) for q in y)

    def _number(self, x: Any, y: Any, rule: Rule, path: Path) -> bool:
        if x == y:
            return False
        limits = rule.bounds(_kind(x, rule), _kind(y, rule))
        size = _distance(x, y)
        about = abs(float(x))
        self.max_abs = max(self.max_abs, size)
        self.max_rel = max(self.max_rel, size / about if about else np.inf)
        if not path:
            self.signed = size if y > x else -size
        limit = limits.atol + limits.rtol * about
        differs = not (size <= limit and math.isfinite(size))
        if differs and limits.ulp and isinstance(x, (float, np.floating)) and isinstance(y, type(x)):
            differs = not bool(within_ulp(np.array([x]), np.array([y]), limits.ulp)[0])
        if differs and limits.floor and math.isfinite(size):
            differs = size > limit + limits.floor * self.scales.at(path)
        return differs and self._found(path, size)

    def _time(self, x: Any, y: Any, rule: Rule, path: Path) -> bool:
        if bool(x == y):
            return False
        limits = rule.bounds("", "")
        if not limits.stated or _clock(x) != _clock(y):
            return self._found(path)
        size = float(abs(_seconds(y) - _seconds(x)))
        self.max_abs = max(self.max_abs, size)
        about = abs(float(_seconds(x))) if _clock(x) == "span" else 0.0
        return size > limits.atol + limits.rtol * about and self._found(path, size)


def _null(value: Any) -> str:
    """Return which kind of nothing a value is, the empty string where it is something."""
    if value is None or value is pd.NA or value is pd.NaT:
        return "null"
    if isinstance(value, (float, np.floating, complex, np.complexfloating)):
        return "NaN" if value != value else ""  # noqa: PLR0124 - NaN is the value that is not itself
    if isinstance(value, Decimal):
        return "NaN" if value.is_nan() else ""
    return "null" if isinstance(value, (np.datetime64, np.timedelta64)) and np.isnat(value) else ""


def _plain(value: Any) -> Any:
    """Return what holds an array as that array: series, tensors, images."""
    if isinstance(value, np.ndarray):
        return value if value.ndim else value.item()
    if hasattr(type(value), "__array__") and not isinstance(value, np.generic):
        return np.asarray(value)
    return list(value) if isinstance(value, deque) else value


def _together(x: Array, y: Array) -> bool:
    """Whether two arrays of one shape are compared at once, and not value by value."""
    return x.dtype == y.dtype and x.dtype.kind in "fciu" and x.dtype.itemsize <= {"f": 8, "c": 16}.get(x.dtype.kind, 8)


def _kind(value: Any, rule: Rule) -> str:
    """Return the type whose default bounds hold for a number; none does for whole numbers."""
    if not isinstance(value, (float, np.floating)):
        return ""
    return str(value.dtype.name) if isinstance(value, np.floating) and value.dtype.itemsize <= 8 else rule.floats


def _distance(x: Any, y: Any) -> float:
    """Return how far two numbers are apart, exact before it is a float."""
    try:
        x, y = (value.item() if isinstance(value, np.generic) else value for value in (x, y))
        if isinstance(x, float) and isinstance(y, float):
            return abs(y - x)
        return float(abs(Fraction(y) - Fraction(x)))
    except (OverflowError, ValueError, TypeError):  # an infinity, or more digits than a float has
        return abs(float(y) - float(x))


def _clock(value: Any) -> str:
    """Return what a time is: only times of one kind can be subtracted."""
    if isinstance(value, (dt.timedelta, np.timedelta64)):
        return "span"
    if isinstance(value, dt.time):
        return "time"
    if isinstance(value, dt.datetime):
        return "instant" if value.tzinfo is None else "zoned instant"
    return "instant" if isinstance(value, np.datetime64) else "date"


def _seconds(value: Any) -> Fraction:
    if isinstance(value, (np.datetime64, np.timedelta64)):
        value = pd.Timestamp(value) if isinstance(value, np.datetime64) else pd.Timedelta(value)
    if isinstance(value, (pd.Timestamp, pd.Timedelta)):
        return Fraction(value.as_unit("ns").value, 10**9)
    if isinstance(value, dt.timedelta):
        return Fraction(value // dt.timedelta(microseconds=1), 10**6)
    if isinstance(value, dt.datetime):
        return Fraction(
            (value - dt.datetime(1970, 1, 1, tzinfo=value.tzinfo and _UTC)) // dt.timedelta(microseconds=1),
            10**6,
        )
    if isinstance(value, dt.date):
        return Fraction(value.toordinal() * 86_400)
    return Fraction(((value.hour * 60 + value.minute) * 60 + value.second) * 10**6 + value.microsecond, 10**6)


def _equal(x: Any, y: Any) -> bool:
    if bool(x == y):
        return True
    plain = type(x) is type(y) and "__eq__" not in {name for kind in type(x).__mro__[:-1] for name in vars(kind)}
    return plain and bool(vars(x)) and pickle.dumps(x) == pickle.dumps(y)
