"""Causes that lie in the digits of numbers: rounding, truncation, and narrower types on the way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seatrial.formatting import number
from seatrial.parity.causes.change import PART, Cause, ColumnChange, distinct
from seatrial.parity.columns import Array

LOST = 0.2  # of a step: the least that the largest of some losses must be
MANY, SEVERAL = 10, 5  # rows, and distinct whole numbers, that narrow a factor down
NARROW = 0.02  # of a factor, within which the rows must bound it
SLACK = 1e-6  # of one step of the grid: what a multiplication by a power of ten may add


def float_round_trip(change: ColumnChange) -> Cause | None:
    """Numbers passed through a narrower float on their way."""
    if change.numbers is None:
        return None
    e, a = change.numbers
    for name, (narrow, digits) in _NARROW.items():
        if name in (change.expected.logical, change.actual.logical) and change.expected.logical != "float64":
            continue
        for x, y, words in ((e, a, "actual is expected"), (a, e, "expected is actual")):
            exact = narrow(x) == y
            hits = exact.copy()
            hits[change.differing :] = change.close(narrow(x), y)[change.differing :]
            step = digits * 2.0 ** np.floor(np.log2(np.abs(y)))
            last = np.mean(np.mod(np.abs(y) / step, 2)[: change.differing] == 1)  # how often its last bit is set
            spread = last > 0.1 and _spread(change, np.abs(x - y) / step)
            if spread and distinct(y[: change.differing], 2) and _allowed(change, hits):
                return change.cause(f"{name}-round-trip", f"{words} after a round trip through {name}", hits)
    return None


def _bfloat16(values: Array) -> Array:
    bits = values.astype(np.float32).view(np.uint32)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return np.asarray(bits.astype(np.uint32).view(np.float32).astype(np.float64))


_NARROW: dict[str, tuple[Callable[[Array], Array], float]] = {
    "float32": (lambda values: values.astype(np.float32).astype(np.float64), 2.0**-23),
    "float16": (lambda values: values.astype(np.float16).astype(np.float64), 2.0**-10),
    "bfloat16": (_bfloat16, 2.0**-7),
}


def _spread(change: ColumnChange, steps: Array) -> bool:
    """Whether what was lost reaches as far as a rounding does; a little noise on round numbers does not."""
    return bool(np.nanmax(steps[: change.differing]) >= LOST)


def precision_loss(change: ColumnChange) -> Cause | None:
    """Integers beyond 2**53 passed through float64."""
    e, a = change.sides
    if e.kind != "number" or a.kind != "number" or e.values.dtype.kind not in "iu" or a.values.dtype.kind not in "iuf":
        return None
    hits = e.values.astype(np.float64) == a.values.astype(np.float64)
    if change.explains(hits) and np.abs(e.values.astype(np.float64)).max() >= 2**53:
        return change.cause("dtype-coercion", "integers beyond 2^53 lost digits through float64", hits)
    return None


def _allowed(change: ColumnChange, hits: Array) -> bool:
    """Whether the rows hold in the whole column, or in a part that is large enough."""
    whole = change.holds(hits)
    return bool(whole) or (whole is None and len(change.rows) >= PART)


def rounding(change: ColumnChange) -> Cause | None:
    """A rounding too many or too few: one side is the other, brought to a coarser grid."""
    if change.numbers is None:
        return None
    e, a = change.numbers
    for x, y, of, why in ((e, a, "actual is expected", ""), (a, e, "expected is actual", "it is not rounded now")):
        rounded = y[: change.differing]
        places = _places(change, rounded)
        if places is None or not distinct(rounded, 2):
            continue
        grid, steps = _on(x, places), np.rint(_on(y, places))
        on_grid = _is_on_grid(change, y, places)
        for name, how in _ROUNDINGS.items():
            hits = how(grid, steps) & on_grid
            if _spread(change, np.abs(grid - steps)) and _allowed(change, hits):
                slug = "rounding" if name == "rounded" else "truncation"
                return change.cause(slug, f"{of} {name} to {_named(places)}", hits, why)
    return None


def _named(places: int) -> str:
    if places < 0:
        return f"multiples of {10**-places:,}"
    return "whole numbers" if not places else f"{places} decimal{'s' if places > 1 else ''}"


def _on(values: Array, places: int) -> Array:
    return values * 10.0**places if places >= 0 else values / 10.0**-places


def _is_on_grid(change: ColumnChange, values: Array, places: int) -> Array:
    """Which numbers are exactly those of the grid, in their own type."""
    steps = np.rint(_on(values, places))
    back = steps / 10.0**places if places >= 0 else steps * 10.0**-places
    for narrow in ("float32", "float16"):
        if narrow in (change.expected.logical, change.actual.logical):
            return np.asarray((back == values) | (_NARROW[narrow][0](back) == values))
    return np.asarray(np.abs(back - values) <= 4 * np.spacing(np.abs(values)))


def _places(change: ColumnChange, values: Array) -> int | None:
    """Return the coarsest grid of powers of ten that all values lie on; None where only their own digits are one."""
    size = float(np.median(np.abs(values)))
    logical = {change.expected.logical, change.actual.logical}
    digits = 1e-3 if "float16" in logical else 1.2e-7 if "float32" in logical else 2.3e-16
    for places in range(-6, 13):
        if size * 10.0**places * digits > 0.01:  # the type itself is no finer than this grid
            return None
        if change.explains(_is_on_grid(change, values, places)):
            return places
    return None


_ROUNDINGS: dict[str, Callable[[Array, Array], Array]] = {
    "rounded": lambda x, y: np.abs(x - y) <= 0.5 + SLACK,
    "truncated": lambda x, y: (np.abs(x) >= np.abs(y) - SLACK) & (np.abs(x) < np.abs(y) + 1) & (x * y >= 0),
    "rounded down": lambda x, y: (x >= y - SLACK) & (x < y + 1),
    "rounded up": lambda x, y: (x <= y + SLACK) & (x > y - 1),
}


def rounding_mode(change: ColumnChange) -> Cause | None:
    """Half to even in place of half up, or the other way round: neighbours, one odd and one even."""
    if change.numbers is None or len(change.sample) < 8:
        return None
    e, a = change.numbers
    for places in range(7):
        x, y = _on(e, places), _on(a, places)
        on_grid = _is_on_grid(change, e, places) & _is_on_grid(change, a, places)
        near = np.abs(np.abs(x - y) - 1) < SLACK
        near[change.differing :] = True
        if not change.holds(near & on_grid):
            continue
        odd_x, odd_y = np.mod(np.rint(x), 2) == 1, np.mod(np.rint(y), 2) == 1
        if not odd_x[change.differing :].any():  # every odd number changed: this is no matter of ties
            return None
        now, was = (odd_x & ~odd_y)[: change.differing], (~odd_x & odd_y)[: change.differing]
        for hits, words in (
            (now, "actual rounds ties to even, expected does not,"),
            (was, "expected rounds ties to even, actual does not,"),
        ):
            if change.explains(hits):
                return change.cause("rounding-mode", words, hits)
        return None
    return None


def integer_division(change: ColumnChange) -> Cause | None:
    """Whole numbers in place of fractions, by another divisor: months of 30 days, cut, in place of 30.44; or back.

    Every row narrows the factor down: the whole part of x × factor is y. Where hardly any factor is left, it is that.
    """
    if change.numbers is None or len(change.sample) < MANY:
        return None
    e, a = change.numbers
    for x, y, words in ((e, a, "actual is the whole part of expected"), (a, e, "expected is the whole part of actual")):
        if not distinct(y[: change.differing], SEVERAL) or not np.all((x > 0) & np.isfinite(x) & (y == np.floor(y))):
            continue
        low, high = float(np.max(y / x)), float(np.min((y + 1) / x))
        if not low < high <= low * (1 + NARROW):
            continue
        factor = (low + high) / 2
        hits = np.floor(x * factor) == y
        if change.holds(hits):
            scaled = "" if low <= 1 < high else f" × {number(float(f'{factor:.4g}'))}"
            return change.cause("integer-division", f"{words}{scaled}", hits)
    return None
