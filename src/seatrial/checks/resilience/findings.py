"""Findings and measurements of a fault scenario."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from seatrial.checks.grouping import listed
from seatrial.checks.resilience.calls import calls_per_request
from seatrial.checks.resilience.experiment import Experiment
from seatrial.checks.resilience.observation import Observation
from seatrial.checks.resilience.violation import Violation
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
    "hard-dependency": "Answer with an error where the dependency fails: 502 or 503, or the status of the step. "
    "A client takes a success for a good answer.",
    "recovery": "Look for a circuit breaker that stays open, connections that are not replaced, or queues that outlive "
    "the fault.",
    "leak": "Close a connection also when its call is given up, and bound the number of waiting threads.",
}


def findings(experiment: Experiment, broken: Mapping[str, Sequence[Violation]]) -> Iterator[Finding]:
    """Yield a finding for each criterion that is violated, with every fault that it is violated under.

    Args:
        experiment: what the faults were applied in.
        broken: what was violated, by the name of the scenario, or ``burst``.
    """
    by_criterion: dict[str, list[tuple[str, Violation]]] = {}
    for fault, violations in broken.items():
        for each in violations:
            if each.evaluated:
                by_criterion.setdefault(each.criterion, []).append((fault, each))
    for criterion, violated in by_criterion.items():
        fault, first = max(violated, key=lambda pair: pair[1].count)
        faults = list(dict.fromkeys(fault for fault, _ in violated))
        others = [f"'{other}'" for other in faults if other != fault]
        also = f" The same with {listed(others)}." if others else ""
        message = f"{_phase(experiment, fault, criterion)}, {first.clause}.{also}"
        yield Finding(
            experiment.check, experiment.dependency, message, cause=criterion, advice=ADVICE[criterion],
            evidence={"fault": fault, "faults": faults, "rows": first.of, "seed": experiment.seed,
                      "violations": first.count, "timed": all(each.timed for _, each in violated), **first.evidence},
        )  # fmt: skip


def _phase(experiment: Experiment, fault: str, criterion: str) -> str:
    when = "During a burst" if fault == BURST else f"{'After' if criterion in AFTERWARDS else 'With'} fault '{fault}'"
    return f"{when} on {experiment.broken}"


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
