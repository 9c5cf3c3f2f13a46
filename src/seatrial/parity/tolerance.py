"""How far apart two cells may be and still count as the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args
from unicodedata import normalize

from seatrial.errors import PolicyError

Text = Literal["exact", "casefold", "strip", "nfc"]

NORMALISE: dict[str, Callable[[str], str]] = {
    "exact": str,
    "casefold": str.casefold,
    "strip": str.strip,
    "nfc": lambda text: normalize("NFC", text),
}

# (rtol, atol) by the logical type that training saw. A global atol would hide small probabilities, so
# float64 has none; float32 and float16 are those of torch.testing.assert_close.
DEFAULTS: dict[str, tuple[float, float]] = {
    "float64": (1e-9, 0.0),
    "float32": (1.3e-6, 1e-5),
    "float16": (1e-3, 1e-5),
}


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True)
class Tolerance:
    """What one column allows. Everything left out is the default of the column's logical type.

    Two numbers are the same when ``|actual - expected| <= atol + rtol * |expected|``, or, where ``ulp`` is
    given, when at most ``ulp`` representable numbers lie between them; ``ulp`` alone switches the default
    ``rtol`` and ``atol`` off. ``atol`` is in the column's own unit, and in seconds for timestamps and
    durations. ``as_set`` compares list cells without order and repetition. ``text`` normalises strings
    before they are compared. ``share`` (0 to 1) is the part of the rows that may differ; a null where
    there was a value, or the other way round, is never allowed by it.

    Raises:
        PolicyError: a number out of range, or a ``text`` that is not known.
    """

    rtol: float | None = None
    atol: float | None = None
    ulp: int | None = None
    as_set: bool = False
    text: Text = "exact"
    share: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rtol", "atol", "ulp"):
            value = getattr(self, name)
            if value is not None and not (_number(value) and math.isfinite(value) and value >= 0):
                raise PolicyError(f"{name}={value!r} is no tolerance. Allowed: a finite number, 0 or more.")
        if self.ulp is not None and not isinstance(self.ulp, int):
            raise PolicyError(f"ulp={self.ulp!r} is no tolerance. Allowed: an integer, 0 or more.")
        if not (_number(self.share) and 0 <= self.share <= 1):
            raise PolicyError(f"share={self.share!r} is no share of rows. Allowed: 0 to 1 (0.01 is 1 %).")
        if not isinstance(self.as_set, bool):
            raise PolicyError(f"as_set={self.as_set!r} is not understood. Allowed: True, False.")
        if self.text not in get_args(Text):
            raise PolicyError(f"text={self.text!r} is not known. Known: {', '.join(get_args(Text))}.")


EXACT = Tolerance()


@dataclass(frozen=True)
class Bounds:
    """A tolerance with every default filled in: what the kernels work with."""

    rtol: float
    atol: float
    ulp: int | None

    @property
    def exact(self) -> bool:
        """Nothing but equal numbers are the same."""
        return not (self.rtol or self.atol or self.ulp)


def bounds(tolerance: Tolerance, expected: str, actual: str, floor: float = 0.0) -> Bounds:
    """Return the bounds for a column of the given logical types, widened by its recorded noise.

    The defaults are those of the type that training saw, and exact unless both sides are floats.
    """
    defaulted = tolerance.ulp is None and actual in DEFAULTS
    rtol, atol = DEFAULTS.get(expected, (0.0, 0.0)) if defaulted else (0.0, 0.0)
    return Bounds(
        rtol=rtol if tolerance.rtol is None else float(tolerance.rtol),
        atol=(atol if tolerance.atol is None else float(tolerance.atol)) + float(floor),
        ulp=tolerance.ulp,
    )
