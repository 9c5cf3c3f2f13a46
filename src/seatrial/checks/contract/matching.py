"""Does an answer hold what a consumer reads of it? And where it does not, what kind of change is it?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.openapi.schema import canonical, kind_of

FACTORS = {1000: "thousandfold", 100: "a hundredfold, as percent are of shares", 60: "sixtyfold, as minutes of hours",
           0.01: "a hundredth, as shares are of percent", 0.001: "a thousandth"}  # fmt: skip
SAFE = 2**53


@dataclass(frozen=True)
class Miss:
    """What a consumer does not find. ``cause`` is a slug; ``words`` show types and factors, and no values."""

    field: str
    cause: str
    words: str


def misses(expected: Any, told: Any, *, tolerance: float = 1e-9, at: str = "") -> Iterator[Miss]:
    """Yield where ``told`` lacks or contradicts what ``expected`` names; objects may hold more, lists may not."""
    if isinstance(expected, Mapping):
        if not isinstance(told, Mapping):
            yield Miss(at, "dtype-coercion", f"is {_kind(told)} in place of an object")
            return
        for name, value in expected.items():
            inner = f"{at}.{name}".lstrip(".")
            if name not in told:
                yield Miss(inner, "missing-field", "is not in the answer")
            else:
                yield from misses(value, told[name], tolerance=tolerance, at=inner)
    elif isinstance(expected, list) and isinstance(told, list):
        yield from _lists(expected, told, tolerance, at)
    elif _number(expected) and _number(told):
        if not _close(expected, told, tolerance):
            yield _numbers(expected, told, at)
    elif expected is None or told is None:
        if expected is not told:
            words = f"is null in place of {_kind(expected)}" if told is None else f"is {_kind(told)} in place of null"
            yield Miss(at, "null-meaning", words)
    elif kind_of(expected) != kind_of(told):
        yield Miss(at, "dtype-coercion", f"is {_kind(told)} in place of {_kind(expected)}{_wide(told)}")
    elif expected != told:
        yield Miss(at, "other-value", "has another value")


def _lists(expected: list[Any], told: list[Any], tolerance: float, at: str) -> Iterator[Miss]:
    if len(expected) != len(told):
        yield Miss(at, "other-length", f"has {len(told):,} items in place of {len(expected):,}")
        return
    found: list[Miss] = []
    for n, (one, other) in enumerate(zip(expected, told, strict=True)):
        found += misses(one, other, tolerance=tolerance, at=f"{at}[{n}]")
    if found and len(expected) > 1 and sorted(map(canonical, expected)) == sorted(map(canonical, told)):
        yield Miss(at, "class-order", "has the same items in another order")
    else:
        yield from found


def _numbers(expected: float, told: float, at: str) -> Miss:
    """Say how two numbers differ: by a factor of units, as a share and its rest, by the digits of a double."""
    if expected and told:
        for factor, words in FACTORS.items():
            if math.isclose(told / expected, factor, rel_tol=1e-3):
                return Miss(at, "unit-factor", f"is {words}")
    if 0 <= expected <= 1 and 0 <= told <= 1 and math.isclose(expected + told, 1, abs_tol=1e-4):
        return Miss(at, "class-order", "is the rest to one: the score of the other class")
    if isinstance(expected, int) and abs(expected) > SAFE and told == float(expected):
        return Miss(at, "json-integer", "lost the digits that a double does not hold")
    return Miss(at, "other-value", "has another value")


def _close(expected: float, told: float, tolerance: float) -> bool:
    if isinstance(expected, int) and isinstance(told, int):
        return abs(expected - told) <= tolerance * abs(expected) if abs(expected) < SAFE else expected == told
    return math.isclose(expected, told, rel_tol=tolerance, abs_tol=0)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wide(told: Any) -> str:
    unsafe = isinstance(told, int) and abs(told) >= SAFE
    return ", beyond 2^53, where readers of doubles lose digits" if unsafe else ""


def _kind(value: Any) -> str:
    kind = kind_of(value)
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}" if kind != "null" else kind
