"""The highest rate at which the service still holds its objective, searched with what is left of the budget."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np

from seatrial.checks.load.runs import Loaded
from seatrial.errors import SeatrialError, TargetError
from seatrial.events import Measurement
from seatrial.loadgen.capacity import CapacityProbe, find_max_rate
from seatrial.loadgen.statistics import Decision, Plan, evaluate, required_requests
from seatrial.loadgen.validity import invalid_reasons
from seatrial.pipeline import SERVICE
from seatrial.targets.http import Http

MISSES = 2  # that a probe may have
PROBES = 12
PRECISION = 0.1
# A rate too high by the precision adds that share of each second to the wait: after so many limits, twice the limit.
PROBE_LIMITS = 2 / PRECISION
DRAIN_SECONDS, LOOK_SECONDS = 60.0, 0.05


class _SpentError(SeatrialError):
    """The budget of the search is spent."""


def search(name: str, loaded: Loaded, told: Callable[[int, int, str], object], *, held: bool) -> Iterator[Measurement]:
    """Yield the highest rate that held and the lowest that did not, in requests a second.

    ``held`` says whether the objective's own rate did; the search goes up from there, or down.
    """
    slo = loaded.slo
    fewest = required_requests(MISSES, percentile=slo.percentile, confidence=slo.confidence)
    tried: list[CapacityProbe] = []

    def try_rate(rate: float) -> Decision:
        requests = max(fewest, math.ceil(rate * PROBE_LIMITS * slo.limit_seconds))
        if not loaded.affords(requests, rate):
            raise _SpentError("The budget is spent.")
        drain(loaded)
        told(len(tried), PROBES, f"does it hold {rate:,.4g} requests/s")
        run, _ = loaded.run(1_000 + len(tried), requests, rate)
        plan = Plan(1, requests, slo.percentile, slo.confidence)
        late = invalid_reasons(run, slo.limit_seconds)
        decision: Decision = "inconclusive" if late else evaluate([run.misses(slo.limit_seconds)], plan).decision
        tried.append(CapacityProbe(rate, decision))
        return decision

    known, start = (slo.rate, 2 * slo.rate) if held else (0.0, slo.rate / 2)
    try:
        found = find_max_rate(try_rate, start, known=known, precision=PRECISION, probes=PROBES)
        best, above = found.rate, found.above
    except _SpentError:
        best = max((p.rate for p in tried if p.decision == "held"), default=known)
        above = min((p.rate for p in tried if p.decision == "violated"), default=np.inf)
    if best:
        yield Measurement(name, SERVICE, "knee", best, "requests/s")
    if np.isfinite(above):
        yield Measurement(name, SERVICE, "knee not above", above, "requests/s")


def drain(loaded: Loaded) -> None:
    """Wait until the service answers within the limit: it still works on what an overload gave up waiting for."""
    until = min(loaded.until, time.monotonic() + DRAIN_SECONDS)
    path, payload = loaded.url.removeprefix(loaded.running.url), loaded.expected.payloads[0]
    with Http(loaded.running.url, seconds=loaded.load.timeout_seconds, connections=1) as http:
        while time.monotonic() < until and not loaded.running.ended():
            with suppress(TargetError):
                if http.send(payload, path=path).seconds <= loaded.slo.limit_seconds:
                    return
            time.sleep(LOOK_SECONDS)
