"""Compare an answer with the part that a consumer reads, and classify each mismatch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.formatting import number, plural
from seatrial.openapi.schemas.merging import kind_of
from seatrial.openapi.silent import canonical

FACTORS = {
    1000: "",
    100: ", as a percentage is of a share",
    60: ", as minutes are of hours",
    0.01: ", as a share is of a percentage",
    0.001: "",
}
SAFE = 2**53


@dataclass(frozen=True)
class ExampleMismatch:
    """A field that is not as its consumer expects.

    Attributes:
        field: the path of the field, ``reasons[0].code`` for one in a list; empty for the whole answer.
        cause: the kind of the change, a slug.
        detail: completes "Field 'x' …"; it has types and factors, and no values.
    """

    field: str
    cause: str
    detail: str


def example_mismatches(
    expected: Any, actual: Any, *, tolerance: float = 1e-9, at: str = ""
) -> Iterator[ExampleMismatch]:
    """Yield each part of ``expected`` that ``actual`` lacks or contradicts.

    Objects may have further fields; lists must have the same length.

    Example:
        >>> [(m.field, m.cause) for m in example_mismatches({"score": 0.42}, {"score": 42.0})]
        [('score', 'unit-factor')]
    """
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            yield ExampleMismatch(at, "dtype-coercion", f"is {_kind(actual)} instead of an object")
            return
        for name, value in expected.items():
            inner = f"{at}.{name}".lstrip(".")
            if name not in actual:
                yield ExampleMismatch(inner, "missing-field", "is missing from the answer")
            else:
                yield from example_mismatches(value, actual[name], tolerance=tolerance, at=inner)
    elif isinstance(expected, list) and isinstance(actual, list):
        yield from _lists(expected, actual, tolerance, at)
    elif _is_number(expected) and _is_number(actual):
        if not _close(expected, actual, tolerance):
            yield _numbers(expected, actual, at)
    elif expected is None or actual is None:
        if expected is not actual:
            yield ExampleMismatch(at, "null-meaning", f"is {_kind(actual)} instead of {_kind(expected)}")
    elif kind_of(expected) != kind_of(actual):
        yield ExampleMismatch(at, "dtype-coercion", f"is {_kind(actual)} instead of {_kind(expected)}{_wide(actual)}")
    elif expected != actual:
        yield ExampleMismatch(at, "other-value", "has another value")


def _lists(expected: list[Any], actual: list[Any], tolerance: float, at: str) -> Iterator[ExampleMismatch]:
    if len(expected) != len(actual):
        yield ExampleMismatch(at, "other-length", f"has {plural(len(actual), 'item')} instead of {len(expected):,}")
        return
    found: list[ExampleMismatch] = []
    for n, (one, other) in enumerate(zip(expected, actual, strict=True)):
        found += example_mismatches(one, other, tolerance=tolerance, at=f"{at}[{n}]")
    if found and len(expected) > 1 and sorted(map(canonical, expected)) == sorted(map(canonical, actual)):
        yield ExampleMismatch(at, "class-order", "has the same items in another order")
    else:
        yield from found


def _numbers(expected: float, actual: float, at: str) -> ExampleMismatch:
    """Classify the difference of two numbers: a factor of units, a complement to one, or the precision of a double."""
    if expected and actual:
        for factor, units in FACTORS.items():
            if math.isclose(actual / expected, factor, rel_tol=1e-3):
                return ExampleMismatch(at, "unit-factor", f"is {number(factor)} times the expected value{units}")
    if 0 <= expected <= 1 and 0 <= actual <= 1 and math.isclose(expected + actual, 1, abs_tol=1e-4):
        return ExampleMismatch(
            at, "class-order", "is one minus the expected value, as the score of the other class would be"
        )
    if isinstance(expected, int) and abs(expected) > SAFE and actual == float(expected):
        return ExampleMismatch(at, "json-integer", "has lost the digits that a double cannot hold")
    return ExampleMismatch(at, "other-value", "has another value")


def _close(expected: float, actual: float, tolerance: float) -> bool:
    if isinstance(expected, int) and isinstance(actual, int):
        return abs(expected - actual) <= tolerance * abs(expected) if abs(expected) < SAFE else expected == actual
    return math.isclose(expected, actual, rel_tol=tolerance, abs_tol=0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wide(value: Any) -> str:
    unsafe = isinstance(value, int) and abs(value) >= SAFE
    return ", beyond 2^53, where readers of doubles lose digits" if unsafe else ""


def _kind(value: Any) -> str:
    kind = kind_of(value)
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}" if kind != "null" else kind
