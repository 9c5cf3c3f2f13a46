"""The highest rate that still holds the limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from seatrial.errors import UsageError
from seatrial.loadgen.statistics import Holds


@dataclass(frozen=True)
class CapacityProbe:
    """One rate that was tried, in requests a second, and whether the limit held there."""

    rate: float
    holds: Holds


@dataclass(frozen=True)
class Capacity:
    """``rate``: the highest rate that held, 0 when none did. ``above``: the lowest that was shown not to hold.

    ``above`` is infinite where no rate was found that does not hold: the service, or the generator's own
    ceiling, lies higher than the search went, and ``rate`` is a lower bound.
    """

    rate: float
    above: float
    probes: tuple[CapacityProbe, ...]

    @property
    def bounded(self) -> bool:
        """Whether the maximum sustainable rate lies between ``rate`` and ``above``, and not just somewhere higher."""
        return math.isfinite(self.above) and self.rate > 0


def find_max_rate(
    try_rate: Callable[[float], Holds],
    start: float,
    *,
    known: float = 0.0,
    precision: float = 0.05,
    most: float = 1e6,
    probes: int = 24,
) -> Capacity:
    """Search: double until the limit no longer holds, then halve the gap until it is ``precision`` wide.

    ``try_rate`` runs the load at a rate and says ``held``, ``broken`` or ``unshown``. ``unshown`` counts as not
    held: a rate at which nothing could be shown is no capacity. The gap is halved on the logarithm, since
    what matters is the factor. Nothing is asked again below ``known``, a rate that was shown to hold. Never more than
    ``probes`` runs, never above ``most``.
    """
    if not 0 <= known < start <= most or not 0 < precision < 1 or probes < 1:
        raise UsageError(
            f"The search needs a start rate above 0 (and what is known), up to {most:g}, and a precision below 1."
        )
    tried: list[CapacityProbe] = []

    def held(rate: float) -> bool:
        tried.append(CapacityProbe(rate, try_rate(rate)))
        return tried[-1].holds == "held"

    good, bad, rate = known, math.inf, start
    while len(tried) < probes and bad > max(good, start / 1024) * (1 + precision):
        if held(rate):
            good = rate
        else:
            bad = rate
        if math.isinf(bad):
            if good >= most:
                break
            rate = min(good * 2, most)
        else:
            rate = math.sqrt(good * bad) if good else bad / 2
    shown = min((p.rate for p in tried if p.holds == "broken" and p.rate > good), default=math.inf)
    return Capacity(good, shown, tuple(tried))
