"""Causes that show in the arithmetic between expected and actual numbers.

Each is a guess: a formula that gives actual from expected, in every row that is looked at. A guess is a cause if it
gives the differing rows and leaves the others as they are, and if no other guess that is as simple does so too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from seatrial.formatting import number
from seatrial.parity.causes.change import PART, Cause, ColumnChange, distinct
from seatrial.parity.causes.units import LINES, known_base, known_factor
from seatrial.parity.columns import Array

GLANCE = 16  # rows of which a formula must give most, before all are looked at
LOST = 1e-6  # of the numbers it is added to: a summand so small is none
TOLD = 0.01  # of a difference, that a formula may leave unexplained


@dataclass(frozen=True)
class Guess:
    """A formula and what it predicts for the rows looked at.

    ``free`` is how many numbers in it were fitted. ``scale`` is the size of the numbers that it adds and subtracts.
    ``part`` says whether it may hold in a part of the rows alone, the others being unchanged.
    """

    name: str
    how: str
    predicted: Array
    free: int = 0
    why: str = ""
    scale: float = 0.0
    part: bool = True


Fit = tuple[tuple[bool, int], Guess, Array]


def arithmetic(change: ColumnChange) -> Cause | None:
    """The simplest formula that gives actual from expected, unless two that are equally simple do."""
    if change.numbers is None:
        return None
    e, a = change.numbers
    fits = _fits(change, _lines(change, e, a)) or _fits(change, _curves(e, a))
    fits = _best(fits, a[: change.differing])
    if len({fit[1].name for fit in fits}) != 1:
        return None
    (_, best, hits) = fits[0]
    return change.cause("log-transform" if best.name == "log-base" else best.name, best.how, hits, best.why)


def _fits(change: ColumnChange, guesses: Iterator[Guess]) -> list[Fit]:
    """Return the guesses that give the rows looked at, the simplest first."""
    assert change.numbers is not None
    e, a = change.numbers
    several, size = len(np.unique(e[: change.differing])), float(np.median(np.abs(a[: change.differing])))
    fits: list[Fit] = []
    for guess in guesses:
        head = change.close(guess.predicted[:GLANCE], a[:GLANCE], guess.scale)
        if not head.sum() > len(head) // 2 or several < (2, 3, 5)[guess.free] or 0 < guess.scale < LOST * size:
            continue
        hits = change.close(guess.predicted, a, guess.scale)
        told = np.abs(guess.predicted - a) <= TOLD * np.abs(a - e)
        hits[: change.differing] &= told[: change.differing]
        whole = change.holds(hits)
        partly = whole is None and guess.part and len(change.rows) >= PART and several >= PART // 2
        if whole or partly:
            fits.append(((not whole, guess.free), guess, hits))
    return sorted(fits, key=lambda fit: fit[0])


def _best(fits: list[Fit], a: Array) -> list[Fit]:
    """Return the simplest, and of them those that are equal where others are nearly equal."""
    fits = [fit for fit in fits if fit[0] == fits[0][0]]
    return [fit for fit in fits if np.mean(fit[1].predicted[: len(a)] == a) > 0.9] or fits


def _lines(change: ColumnChange, e: Array, a: Array) -> Iterator[Guess]:
    yield Guess("sign-flip", "actual = -expected", -e)
    yield Guess("sign-lost", "actual = |expected|", np.abs(e), part=False)
    yield Guess("complement", "actual = 1 - expected", 1 - e, scale=1.0)
    yield Guess("complement", "actual = 100 - expected", 100 - e, scale=100.0, part=False)
    yield from _scaled(change, e, a)
    for (slope, offset), words in LINES.items():
        line = f"actual = {_line(slope, offset)} ({words})"
        yield Guess("unit-affine", line, slope * e + offset, scale=abs(offset))
    yield from _moved(change, e, a)


def _scaled(change: ColumnChange, e: Array, a: Array) -> Iterator[Guess]:
    x, y = e[: change.differing], a[: change.differing]
    present = (x != 0) & (y != 0) & np.isfinite(x) & np.isfinite(y)
    if np.count_nonzero(present) < change.least * len(x):
        return
    ratio = float(np.median(y[present] / x[present]))
    if not np.isfinite(ratio) or ratio in (0, 1, -1):
        return
    if known := known_factor(ratio, change.precision):
        exact, written, meaning = known
        yield Guess("unit-factor", f"actual = expected {written} ({meaning})", e * exact)
    elif base := known_base(ratio, change.precision):
        yield Guess("log-base", f"actual has {base[1]}", e * base[0], part=False)
    else:
        yield Guess("unit-factor", f"actual = expected × {number(ratio)}", e * ratio, free=1)


def _moved(change: ColumnChange, e: Array, a: Array) -> Iterator[Guess]:
    x, y = e[: change.differing], a[: change.differing]
    offset = float(np.median(y - x))
    if not np.isfinite(offset):
        return
    sign = "+" if offset >= 0 else "-"
    size = max(abs(offset), float(np.median(np.abs(x))))
    how = f"actual = expected {sign} {number(abs(offset))}"
    yield Guess("constant-offset", how, e + offset, free=1, scale=size)
    low, high = int(np.argmin(x)), int(np.argmax(x))
    slope = float((y[high] - y[low]) / (x[high] - x[low]))
    shift = float(y[low] - slope * x[low])
    if not np.isfinite(slope) or not np.isfinite(shift) or slope == 0:
        return
    why = "a scaling is left out, doubled, or of another version"
    line = f"actual = {_line(slope, shift)}"
    yield Guess("scaling", line, slope * e + shift, free=2, why=why, scale=10 * abs(shift), part=False)


def _line(slope: float, shift: float) -> str:
    return f"{number(slope)} × expected {'+' if shift >= 0 else '-'} {number(abs(shift))}"


Curve = Callable[[Array], Array]

# How a number x may be written: the form, and the way back to x.
FORMS: dict[str, tuple[Curve, Curve]] = {
    "x": (lambda x: x, lambda y: y),
    "log(x)": (np.log, np.exp),
    "log1p(x)": (np.log1p, np.expm1),
    "log10(x)": (np.log10, lambda y: 10.0**y),
    "log2(x)": (np.log2, np.exp2),
    "log10(1 + x)": (lambda x: np.log10(1 + x), lambda y: 10.0**y - 1),
}
# A plain change of base is a factor, and is told there.
SAME_BUT_A_FACTOR = ({"log(x)", "log10(x)", "log2(x)"}, {"log1p(x)", "log10(1 + x)"})


def _curves(e: Array, a: Array) -> Iterator[Guess]:
    """Yield what is no line. Over a short range each of them is one too: a line that fits is told."""
    yield Guess("reciprocal", "actual = 1 ÷ expected", 1 / e)
    for was, (_, back) in FORMS.items():
        for now, (form, _) in FORMS.items():
            if was == now or any({was, now} <= same for same in SAME_BUT_A_FACTOR):
                continue
            predicted = form(back(e))
            if (was, now) == ("log1p(x)", "log(x)"):  # log1p(0) is 0, and log of 0 is whatever it was clipped at
                predicted = np.where((e == 0) & (a < -5), a, predicted)
            yield Guess("log-transform", f"actual has {now} in place of {was}", predicted, part=False)
    yield Guess("sigmoid", "actual = sigmoid(expected)", 1 / (1 + np.exp(-e)), part=False)
    why = "the sigmoid is left out"
    yield Guess("sigmoid", "actual = logit(expected)", np.log(e / (1 - e)), why=why, part=False)
    yield Guess("power", "actual = √expected", np.sqrt(e), part=False)
    yield Guess("power", "actual = expected²", e * e, part=False)


def clipped(change: ColumnChange) -> Cause | None:
    """Values beyond a bound are set to it, on one side or both; or no longer are."""
    if change.numbers is None or not change.values_tell or not len(change.unchanged):
        return None
    for (x, y), how in ((change.numbers, "actual is clipped"), (change.numbers[::-1], "expected is clipped")):
        moved, became = x[: change.differing], y[: change.differing]
        if not distinct(moved, 2):
            continue
        tops, bottoms = np.unique(became[became < moved]), np.unique(became[became > moved])
        if max(len(tops), len(bottoms)) != 1 or (moved == became).any():  # equal: integers beyond 2^53
            continue
        inside = np.clip(x, bottoms[0] if len(bottoms) else -np.inf, tops[0] if len(tops) else np.inf)
        if change.holds(inside == y) and distinct(y[change.differing :], 2):
            ends = " and ".join([*(["above"] if len(tops) else []), *(["below"] if len(bottoms) else [])])
            missing = "" if how.startswith("actual") else ", actual is not,"
            return change.cause("clipped", f"{how} {ends}{missing}", inside == y)
    return None
