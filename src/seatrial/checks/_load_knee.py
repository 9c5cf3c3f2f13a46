"""The highest rate at which the service still holds its objective, searched with what is left of the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from seatrial.checks._load_service import Loaded
from seatrial.errors import SeatrialError
from seatrial.events import Measured
from seatrial.load.knee import Probe, knee
from seatrial.load.stats import Holds, Plan, judge, required
from seatrial.load.steady import void
from seatrial.pipeline import SERVICE

MISSES = 2  # that a probe may have
PROBES = 12


class _SpentError(SeatrialError):
    """The budget of the search is spent."""


def search(name: str, loaded: Loaded, start: float, told: Callable[[int, int, str], object]) -> Iterator[Measured]:
    """Yield the highest rate that held and the lowest that did not, in requests a second."""
    requests = required(MISSES, percentile=loaded.slo.percentile, confidence=loaded.slo.confidence)
    plan = Plan(1, requests, loaded.slo.percentile, loaded.slo.confidence)
    tried: list[Probe] = []

    def try_rate(rate: float) -> Holds:
        if not loaded.affords(requests, rate):
            raise _SpentError("The budget is spent.")
        told(len(tried), PROBES, f"does it hold {rate:,.4g} requests/s")
        run, _ = loaded.run(1_000 + len(tried), requests, rate)
        late = void(run, loaded.slo.limit_seconds)
        held: Holds = "unshown" if late else judge([run.misses(loaded.slo.limit_seconds)], plan).holds
        tried.append(Probe(rate, held))
        return held

    try:
        found = knee(try_rate, start, precision=0.1, probes=PROBES)
        best, above = found.rate, found.above
    except _SpentError:
        best = max((p.rate for p in tried if p.holds == "held"), default=0.0)
        above = min((p.rate for p in tried if p.holds == "broken"), default=np.inf)
    if best:
        yield Measured(name, SERVICE, "knee", best, "requests/s")
    if np.isfinite(above):
        yield Measured(name, SERVICE, "knee not above", above, "requests/s")
