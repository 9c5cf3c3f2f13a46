"""The maximum sustainable rate: the highest rate at which a service still holds its latency limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from seatrial.errors import UsageError
from seatrial.loadgen.statistics import Decision

_DEEPEST = 1024  # the search ends at this part of the start rate where nothing holds


@dataclass(frozen=True)
class CapacityProbe:
    """One rate that was tried, in requests/s, and what its run showed."""

    rate: float
    decision: Decision


@dataclass(frozen=True)
class Capacity:
    """The result of a search for the maximum sustainable rate.

    Attributes:
        rate: the highest rate that held, in requests/s; 0 where none did.
        above: the lowest rate above it that was shown not to hold. It is infinite where there is none: the service,
            or the generator's own ceiling, lies higher than the search went, and ``rate`` is a lower bound.
        probes: every rate that was tried, in order.
    """

    rate: float
    above: float
    probes: tuple[CapacityProbe, ...]

    @property
    def bounded(self) -> bool:
        """Whether the maximum sustainable rate is known to lie between ``rate`` and ``above``."""
        return math.isfinite(self.above) and self.rate > 0


def find_max_rate(
    try_rate: Callable[[float], Decision],
    start: float,
    *,
    known: float = 0.0,
    precision: float = 0.05,
    most: float = 1e6,
    probes: int = 24,
) -> Capacity:
    """Double the rate until the limit no longer holds, then halve the gap until it is ``precision`` wide.

    The gap is halved on the logarithm, since what matters is the factor.

    Args:
        try_rate: offers a load at this rate, in requests/s, and decides on it. An inconclusive run counts as not held.
        start: the first rate.
        known: a rate that was already shown to hold; none is tried at it or below.
        precision: the largest relative gap between the rate that holds and the one that does not.
        most: the highest rate that is tried.
        probes: the most runs.

    Raises:
        UsageError: a start that is not above ``known`` or is above ``most``, a precision that is not between 0 and 1,
            or no probes.

    Example:
        >>> found = find_max_rate(lambda rate: "held" if rate <= 100 else "violated", start=50)
        >>> found.rate <= 100 < found.above <= 1.05 * found.rate
        True
    """
    if not 0 <= known < start <= most or not 0 < precision < 1 or probes < 1:
        raise UsageError(
            f"The search needs a start rate above 0 and above what is known to hold, up to {most:,.0f} requests/s, "
            f"a precision between 0 and 1, and at least one probe. "
            f"Found: start {start:g}, known {known:g}, precision {precision:g}, probes {probes}."
        )
    tried: list[CapacityProbe] = []

    def held(rate: float) -> bool:
        tried.append(CapacityProbe(rate, try_rate(rate)))
        return tried[-1].decision == "held"

    good, bad, rate = known, math.inf, start
    while len(tried) < probes and bad > max(good, start / _DEEPEST) * (1 + precision):
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
    above = min((p.rate for p in tried if p.decision == "violated" and p.rate > good), default=math.inf)
    return Capacity(good, above, tuple(tried))
