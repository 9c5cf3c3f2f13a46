"""Findings and measurements of a fault scenario."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from seatrial.checks.resilience.calls import calls_per_request
from seatrial.checks.resilience.criteria import Violation
from seatrial.checks.resilience.experiment import Experiment
from seatrial.checks.resilience.observation import Observation
from seatrial.events import Finding, Measurement
from seatrial.faults.scenario import Scenario

BURST = "burst"  # the name of the phase that is no fault scenario
AFTERWARDS = {"recovery", "leak"}  # criteria of the time after the fault
ADVICE = {
    "no-5xx": "Catch the errors of the client where the dependency is called, and return the declared fallback.",
    "degraded-flag": "Set the flag and the reason wherever the fallback is used. Without them a consumer trusts the "
    "degraded answer.",
    "fallback-value": "Compute the degraded answer with the same code as the declared fallback.",
    "needless-fallback": "Look for a shorter deadline than the time-out, or for waits that use it up.",
    "deadline": "Give the call a total deadline that includes connecting and waiting for a connection.",
    "unaffected": "Isolate requests that do not need the dependency: no shared thread pool, no blocking call in the "
    "event loop.",
    "circuit-breaker": "Open a circuit breaker when the dependency is slow, not only when it fails.",
    "pool": "Bound the connection pool, overflow included, and refuse quickly when it is empty.",
    "amplification": "Retry in one layer only, once, within a retry budget.",
    "recovery": "Look for a circuit breaker that stays open, connections that are not replaced, or queues that outlive "
    "the fault.",
    "leak": "Close a connection also when its call is given up, and bound the number of waiting threads.",
}


def findings(experiment: Experiment, fault: str, violations: Sequence[Violation]) -> Iterator[Finding]:
    """Yield a finding for each violation that was evaluated; ``fault`` is a scenario's name or ``burst``."""
    dependency = experiment.dependency
    for each in violations:
        if each.evaluated:
            when = "After" if each.criterion in AFTERWARDS else "With"
            phase = "During a burst" if fault == BURST else f"{when} fault '{fault}'"
            yield Finding(
                experiment.check, dependency, f"{phase} on {experiment.broken}, {each.clause}.",
                cause=each.criterion, advice=ADVICE[each.criterion],
                evidence={"fault": fault, "rows": each.of, "seed": experiment.seed, "violations": each.count,
                          **each.evidence},
            )  # fmt: skip


def measurements(
    experiment: Experiment, scenario: Scenario, observation: Observation, recovered: float
) -> Iterator[Measurement]:
    """Yield the numbers of one fault scenario; ``recovered`` is the seconds that recovery took."""
    users = observation.uses
    figures = [
        ("degraded answers", float(observation.flagged[users].mean()) if users.any() else math.nan, ""),
        ("slowest answer", float(observation.seconds.max()), "s"),
        ("calls per request", calls_per_request(scenario, observation), ""),
        ("recovery time", recovered, "s"),
        ("attempts", observation.attempts, ""),
    ]
    for name, value, unit in figures:
        if math.isfinite(value):
            yield Measurement(experiment.check, experiment.dependency, f"{scenario.name}: {name}", value, unit)
