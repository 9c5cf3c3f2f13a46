"""Search for the maximum sustainable rate with what is left of the budget."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np

from seatrial.checks.load.runs import LoadSession
from seatrial.errors import SeatrialError, TargetError
from seatrial.events import Measurement
from seatrial.loadgen import capacity
from seatrial.loadgen.capacity import CapacityProbe
from seatrial.loadgen.estimates import miss_share
from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.statistics import Decision, holds, required_requests
from seatrial.loadgen.validity import invalid_reasons
from seatrial.pipeline import SERVICE
from seatrial.policy.service import Slo
from seatrial.targets.http import Http

MISSES = 2  # that a probe may have
PROBES = 12
PRECISION = 0.1
# A rate too high by the precision adds that share of each second to the wait: after so many limits, twice the limit.
PROBE_LIMITS = 2 / PRECISION
DRAIN_SECONDS, PAUSE_SECONDS = 60.0, 0.05


class _BudgetSpentError(SeatrialError):
    """The budget of the search is spent."""


def find_max_rate(
    name: str, session: LoadSession, on_progress: Callable[[int, int, str], object], *, met: bool
) -> Iterator[Measurement]:
    """Yield the range of the maximum sustainable rate: the highest rate that held, the lowest that did not.

    Args:
        name: the name of the check that reports.
        session: the service and the load.
        on_progress: called before each probe with its index, the most probes, and a description.
        met: whether the objective was met at its own rate; the search goes up from there, or down.
    """
    slo = session.slo
    fewest = required_requests(MISSES, percentile=slo.percentile, confidence=slo.confidence)
    probes: list[CapacityProbe] = []

    def probe(rate: float) -> Decision:
        requests = max(fewest, math.ceil(rate * PROBE_LIMITS * slo.limit_seconds))
        if not session.affords(requests, rate):
            raise _BudgetSpentError("The time budget of the search is spent.")
        drain(session)
        on_progress(len(probes), PROBES, f"maximum sustainable rate: probe at {rate:,.4g} requests/s")
        run, _ = session.run(1_000 + len(probes), requests, rate)
        decision = _decided(run, slo)
        probes.append(CapacityProbe(rate, decision))
        return decision

    known, start = (slo.rate, 2 * slo.rate) if met else (0.0, slo.rate / 2)
    try:
        found = capacity.find_max_rate(probe, start, known=known, precision=PRECISION, probes=PROBES)
        best, above = found.rate, found.above
    except _BudgetSpentError:
        best = max((p.rate for p in probes if p.decision == "held"), default=known)
        above = min((p.rate for p in probes if p.decision == "violated"), default=np.inf)
    if best:
        yield Measurement(name, SERVICE, "maximum sustainable rate lower bound", best, "requests/s")
    if np.isfinite(above):
        yield Measurement(name, SERVICE, "maximum sustainable rate upper bound", above, "requests/s")


def _decided(run: LoadRun, slo: Slo) -> Decision:
    """Return what one short run shows of a rate; what lies between the two results widens the range that is reported.

    A run that is held stays held where the generator was late: that only makes latencies longer.
    """
    misses = int(run.misses(slo.limit_seconds).sum())
    if holds(len(run), misses, percentile=slo.percentile, confidence=slo.confidence):
        return "held"
    allowed = 1 - slo.percentile
    low, _ = miss_share([run.latencies], slo.limit_seconds, allowed).bounds(1 - slo.confidence)
    return "violated" if low > allowed and not invalid_reasons(run, slo.limit_seconds) else "inconclusive"


def drain(session: LoadSession) -> None:
    """Wait until the service answers within the limit: it may still work on requests of an overload that timed out."""
    until = min(session.until, time.monotonic() + DRAIN_SECONDS)
    with Http(session.running.url, seconds=session.load.timeout_seconds, connections=1, access=session.access) as http:
        while time.monotonic() < until and not session.running.ended():
            with suppress(TargetError):
                if http.send(session.requests[0]).seconds <= session.slo.limit_seconds:
                    return
            time.sleep(PAUSE_SECONDS)
