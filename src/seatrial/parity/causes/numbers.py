"""Causes that show in the arithmetic between expected and actual numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seatrial.parity.causes.change import Cause, ColumnChange, distinct
from seatrial.parity.columns import Array

# What a ratio is known for. Both directions of each are tried.
FACTORS = {
    10.0: "a power of ten",
    100.0: "per cent, or cents",
    1e3: "thousandths: ms for s, g for kg",
    1e6: "millionths: µs for s",
    1e9: "ns for s",
    60.0: "minutes and seconds, or hours and minutes",
    3600.0: "hours and seconds",
    86400.0: "days and seconds",
    24.0: "days and hours",
    1024.0: "binary prefixes",
    1.609344: "miles and kilometres",
    2.54: "inches and centimetres",
    2.2046226218: "kilograms and pounds",
    57.29577951308232: "radians and degrees",
}


def float_round_trip(change: ColumnChange) -> Cause | None:
    """Numbers passed through a narrower float on their way."""
    if change.numbers is None or change.expected.logical == "float16":
        return None
    e, a = change.numbers
    for narrow in (np.float32, np.float16):
        if np.dtype(narrow).name == change.expected.logical:
            continue
        name = np.dtype(narrow).name
        for x, y, words in ((e, a, "actual is expected"), (a, e, "expected is actual")):
            hits = x.astype(narrow).astype(np.float64) == y
            if change.explains(hits):
                return Cause(f"{name}-round-trip", f"{words} after a round trip through {name} in {change.count(hits)}")
    return None


def precision_loss(change: ColumnChange) -> Cause | None:
    """Integers beyond 2**53 passed through float64."""
    e, a = change.sides
    if e.kind != "number" or a.kind != "number" or e.values.dtype.kind not in "iu":
        return None
    hits = e.values.astype(np.float64) == a.values.astype(np.float64)
    if change.explains(hits) and np.abs(e.values.astype(np.float64)).max() >= 2**53:
        return Cause("dtype-coercion", f"integers beyond 2^53 lost digits through float64 in {change.count(hits)}")
    return None


def sign_flip(change: ColumnChange) -> Cause | None:
    """The sign is turned round."""
    if change.numbers is None:
        return None
    e, a = change.numbers
    hits = a == -e
    return Cause("sign-flip", f"actual = -expected in {change.count(hits)}") if change.explains(hits) else None


def rounding(change: ColumnChange) -> Cause | None:
    """A rounding too many, too few, or of another kind."""
    if change.numbers is None:
        return None
    e, a = change.numbers
    for x, y, of, missing in ((e, a, "actual is expected", ""), (a, e, "expected is actual", ": not rounded")):
        for places in (0, 1, 2, 3, 4, 5, 6, 8, -1, -2, -3):
            grid = 10.0**places
            if not change.explains(_on_grid(y * grid)):
                continue
            for name, how in _ROUNDINGS.items():
                hits = np.abs(how(x * grid) - y * grid) < 1e-6
                if change.explains(hits):
                    slug = "rounding" if name == "rounded" else "truncation"
                    detail = f"{of} {name} to {places} decimals{missing} in {change.count(hits)}"
                    return Cause(slug, detail)
            break  # a finer grid holds these numbers too, but they were not rounded to it
    return None


_ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "rounded": np.rint,
    "rounded half up": lambda values: np.floor(values + 0.5),
    "rounded down": np.floor,
    "truncated": np.trunc,
    "rounded up": np.ceil,
}


def _on_grid(values: Array) -> Array:
    return np.asarray(np.abs(values - np.rint(values)) < 1e-6)


def rounding_mode(change: ColumnChange) -> Cause | None:
    """Half to even in place of half up, or the other way round: neighbours, one odd and one even."""
    if change.numbers is None or len(change.sample) < 8:
        return None
    e, a = change.numbers
    for places in range(7):
        grid = 10.0**places
        x, y = e * grid, a * grid
        neighbours = np.abs(np.abs(x - y) - 1) < 1e-6
        if not change.explains(neighbours & _on_grid(x) & _on_grid(y)):
            continue
        odd_x, odd_y = np.mod(np.rint(x), 2) == 1, np.mod(np.rint(y), 2) == 1
        for hits, words in (
            (odd_x & ~odd_y, "actual rounds ties to even, expected does not,"),
            (~odd_x & odd_y, "expected rounds ties to even, actual does not,"),
        ):
            if change.explains(hits):
                return Cause("rounding-mode", f"{words} in {change.count(hits)}")
        return None
    return None


def logarithm(change: ColumnChange) -> Cause | None:
    """log for log1p, or a logarithm left out or taken twice."""
    if change.numbers is None:
        return None
    e, a = change.numbers
    with np.errstate(all="ignore"):
        # log1p(0) is 0, and log of 0 is whatever it was clipped at
        tries = (
            ("log for log1p", change.close(np.log(np.expm1(e)), a) | ((e == 0) & (a < -5))),
            ("log1p for log", change.close(np.log1p(np.exp(e)), a)),
            ("no log1p", change.close(np.expm1(e), a)),
            ("no log", change.close(np.exp(e), a)),
            ("a second log1p", change.close(np.log1p(e), a)),
            ("a second log", change.close(np.log(e), a)),
            ("no log10", change.close(10.0**e, a)),
        )
    if not distinct(e, 3):
        return None
    for words, hits in tries:
        if change.explains(hits):
            return Cause("log-transform", f"actual has {words} in {change.count(hits)}")
    return None


def unit_factor(change: ColumnChange) -> Cause | None:
    """One ratio between actual and expected: another unit."""
    if change.numbers is None or not distinct(change.numbers[0], 2):
        return None
    e, a = change.numbers
    present = e[(e != 0) & (a != 0)]
    if len(present) < 0.99 * len(e):
        return None
    with np.errstate(all="ignore"):
        ratio = float(np.median(a / e))
    for factor, words in FACTORS.items():
        for exact, said in ((factor, f"× {factor:g}"), (1 / factor, f"÷ {factor:g}")):
            if abs(ratio - exact) <= 10 * change.precision * exact:
                ratio, meaning, shown = exact, f" ({words})", said
                break
        else:
            continue
        break
    else:
        meaning, shown = "", f"× {ratio:.6g}"
    with np.errstate(all="ignore"):
        hits = np.abs(a - e * ratio) <= 10 * change.precision * np.abs(a)
    if change.explains(hits) and np.isfinite(ratio):
        return Cause("unit-factor", f"actual = expected {shown}{meaning} in {change.count(hits)}")
    return None


def constant_offset(change: ColumnChange) -> Cause | None:
    """One difference between actual and expected."""
    if change.numbers is None or not distinct(change.numbers[0], 3):
        return None
    e, a = change.numbers
    with np.errstate(all="ignore"):
        offset = float(np.median(a - e))
        hits = np.abs(a - e - offset) <= change.precision * np.maximum(np.abs(a), np.abs(e))
    if change.explains(hits) and np.isfinite(offset):
        sign = "+" if offset >= 0 else "-"
        return Cause("constant-offset", f"actual = expected {sign} {abs(offset):.6g} in {change.count(hits)}")
    return None


def affine(change: ColumnChange) -> Cause | None:
    """One straight line between expected and actual: a scaling left out, doubled, or of another version."""
    if change.numbers is None or not distinct(change.numbers[0], 5):
        return None
    e, a = change.numbers
    low, high = int(np.argmin(e)), int(np.argmax(e))
    with np.errstate(all="ignore"):
        slope = (a[high] - a[low]) / (e[high] - e[low])
        shift = a[low] - slope * e[low]
        hits = np.abs(slope * e + shift - a) <= 100 * change.precision * np.maximum(np.abs(a), abs(shift))
    if change.explains(hits) and np.isfinite(slope) and slope != 0:
        line = f"{slope:.6g} × expected {'+' if shift >= 0 else '-'} {abs(shift):.6g}"
        why = "a scaling is left out, doubled, or of another version"
        return Cause("scaling", f"actual = {line} in {change.count(hits)}: {why}")
    return None


ZONES = 8  # offsets that explain a column of hours; random hours would need all 24


def hour_of_day(change: ColumnChange) -> Cause | None:
    """Hours of the day, turned: 23 becomes 1."""
    if change.numbers is None or change.expected.kind != "number":
        return None
    e, a = change.numbers
    turn = np.mod(a - e, 24)
    turns, counts = np.unique(turn, return_counts=True)
    common = turns[np.argsort(-counts, kind="stable")[:2]]
    summer = len(common) == 2 and abs(common[0] - common[1]) in (1, 23) and not change.explains(turn == common[0])
    hits = np.isin(turn, common) if summer else turn == common[0]
    wraps = bool(np.any(a < e)) and bool(np.any(a > e))
    named = "hour" in change.column.lower()
    if not (distinct(e, 3) and (wraps or named)):
        return None
    if not all(_hours(side.values) for side in (change.expected, change.actual)):
        return None
    if not change.explains(hits):
        zones = turns[np.argsort(-counts, kind="stable")[:ZONES]]
        if not (named and len(turn) >= 10 * ZONES and change.explains(np.isin(turn, zones))):
            return None
        turned = f"hours of the day are shifted by {len(zones)} different offsets, as with a time zone per row"
        return Cause("shifted-timezone", f"{turned}, in {change.count(np.isin(turn, zones))}")
    by = " or ".join(f"{int(h) if h <= 12 else int(h) - 24:+d} h" for h in (common if summer else common[:1]))
    why = " (daylight saving)" if summer else ""
    return Cause("shifted-timezone", f"hours of the day are shifted by {by}{why} in {change.count(hits)}")


def _hours(values: Array) -> bool:
    return bool(np.nanmin(values) >= 0 and np.nanmax(values) <= 23)
