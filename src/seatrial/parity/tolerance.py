"""How far apart two numbers may be and still count as the same.

Defaults, by the type that training saw; a cell's numbers have the default of their own type, at any depth:

| type | default | beside it |
|---|---|---|
| float64, complex128 | rtol 1e-9 | 1e-12 of the column's scale |
| float32, complex64 | rtol 1.3e-6 | 1.5e-5 of the column's scale |
| float16 | one representable number | one at the column's scale |
| all else | exact | |

There is no constant absolute floor: it would hide small probabilities. What stands beside is for sums that cancel:
added in another order, they differ by the rounding of their terms, however near to zero they end. The terms are of
the column's own scale (:mod:`seatrial.parity.scale`). The share is 128 representable numbers for float32, and
what leaves room for a decomposition or a logarithm for float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from seatrial.errors import PolicyError
from seatrial.parity.scale import scale


class Default(NamedTuple):
    """What a type allows: relative difference, representable numbers between, share of the column's scale."""

    rtol: float = 0.0
    ulp: int | None = None
    floor: float = 0.0


DEFAULTS = {
    "float64": Default(1e-9, None, 1e-12),
    "float32": Default(1.3e-6, None, 1.5e-5),
    "float16": Default(0.0, 1, 2.0**-10),
    "complex128": Default(1e-9, None, 1e-12),
    "complex64": Default(1.3e-6, None, 1.5e-5),
}


def is_number(value: object) -> bool:
    """Whether a setting is a finite number, and no boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def check_share(share: object) -> None:
    """Check the share of rows that may differ.

    Raises:
        PolicyError: it is not between 0 and 1.
    """
    if not (is_number(share) and 0 <= share <= 1):  # type: ignore[operator]
        raise PolicyError(f"share={share!r} is no share of rows. Allowed: 0 to 1 (0.01 is 1 %).")


@dataclass(frozen=True)
class Tolerance:
    """What one column allows. Everything left out is the default of each number's own type.

    Two numbers are the same when ``|actual - expected| <= atol + rtol * |expected|``, or, where ``ulp`` is given, when
    at most ``ulp`` representable numbers lie between them; ``ulp`` alone switches the other defaults off, ``atol``
    that part of them which follows the column's scale. ``atol`` is in the column's own unit, and in seconds for times
    and durations. The bounds hold for every number in a cell, in lists, arrays, dicts and structs of any depth;
    integers and decimals are exact unless a bound is stated. ``as_set`` compares lists without order and repetition.
    ``share`` (0 to 1) is the part of the rows that may differ; a null where there was a value, or the other way
    round, is never allowed by it.

    Raises:
        PolicyError: a number out of range.

    Example:
        >>> Tolerance(rtol=1e-6, share=0.01)
        Tolerance(rtol=1e-06, atol=None, ulp=None, as_set=False, share=0.01)
    """

    rtol: float | None = None
    atol: float | None = None
    ulp: int | None = None
    as_set: bool = False
    share: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rtol", "atol", "ulp"):
            value = getattr(self, name)
            if value is not None and not (is_number(value) and value >= 0):
                raise PolicyError(f"{name}={value!r} is no tolerance. Allowed: a finite number, 0 or more.")
        if self.ulp is not None and not isinstance(self.ulp, int):
            raise PolicyError(f"ulp={self.ulp!r} is no tolerance. Allowed: an integer, 0 or more.")
        check_share(self.share)
        if not isinstance(self.as_set, bool):
            raise PolicyError(f"as_set={self.as_set!r} is not understood. Allowed: True, False.")


EXACT = Tolerance()  # the defaults
IDENTICAL = Tolerance(rtol=0.0, atol=0.0)


@dataclass(frozen=True)
class Bounds:
    """A tolerance with every default filled in for one type: what the kernels work with.

    ``floor`` is the share of the scale that is allowed beside ``atol``; ``source`` returns the numbers that set the
    scale, None meaning the expected ones. ``noise`` is what was recorded, and is part of ``atol`` already.
    """

    rtol: float
    atol: float
    ulp: int | None
    floor: float = 0.0
    tolerance: Tolerance = EXACT
    noise: float = 0.0
    source: Callable[[], Any] | None = None

    @property
    def exact(self) -> bool:
        """Nothing but equal numbers are the same."""
        return not (self.rtol or self.atol or self.ulp or self.floor)

    @property
    def stated(self) -> bool:
        """Whether bounds for numbers are stated that hold for decimals, dates and times too."""
        return bool(self.tolerance.rtol or self.tolerance.atol or self.noise)

    def of(self, expected: str, actual: str, source: Callable[[], Any] | None) -> Bounds:
        """Return the bounds of the same tolerance for cells of other logical types, inside these."""
        return bounds(self.tolerance, expected, actual, self.noise, source)

    def least(self, expected: Any) -> float:
        """Return what the column's scale allows beside ``atol``; costs a pass over a sample of the numbers."""
        found = self.source() if self.source else None
        values = getattr(found, "values", found)
        known = values is not None and getattr(values, "dtype", None) is not None and values.dtype.kind in "fciu"
        return self.floor * scale(values if known else expected)


def bounds(
    tolerance: Tolerance, expected: str, actual: str, floor: float = 0.0, source: Callable[[], Any] | None = None
) -> Bounds:
    """Return the bounds for cells of the given logical types, widened by recorded noise.

    The defaults are those of the type that training saw, and exact unless both sides are floats.
    """
    default = DEFAULTS.get(expected, Default()) if actual in DEFAULTS else Default()
    if tolerance.ulp is not None and tolerance.rtol is None:  # ulp alone
        default = Default()
    return Bounds(
        rtol=default.rtol if tolerance.rtol is None else float(tolerance.rtol),
        atol=(0.0 if tolerance.atol is None else float(tolerance.atol)) + float(floor),
        ulp=default.ulp if tolerance.ulp is None and tolerance.rtol is None else tolerance.ulp,
        floor=default.floor if tolerance.atol is None else 0.0,
        tolerance=tolerance,
        noise=float(floor),
        source=source,
    )
