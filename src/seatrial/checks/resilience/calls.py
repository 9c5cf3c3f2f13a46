"""How often the dependency was called for each request: retries multiply it just when the dependency has trouble."""

from __future__ import annotations

from seatrial.checks.resilience.observation import Observation
from seatrial.faults.scenario import Scenario
from seatrial.formatting import share

SLACK = 0.2  # calls per request that are no amplification


def calls_per_request(scenario: Scenario, observation: Observation) -> float:
    """Return the calls of the dependency per request: the most within a second, less the slack, or the mean.

    Where a share of the calls is hit, each complete answer took a call that was not, and each call that was hit is
    counted by the fault. Their sum needs no count of connections, which pools and handshakes blur.
    """
    if scenario.partial:
        complete, users = _complete(observation)
        return (complete + observation.hits) / max(users, 1)
    due, deadline = observation.run.scheduled, observation.baseline.policy.deadline
    return max(0.0, observation.usage.amplification(due, before=deadline) - SLACK)


def are_counted(scenario: Scenario, observation: Observation) -> bool:
    """Return whether the number of calls is known under a fault.

    Attempts at a closed port are not seen, and a complete answer from a cache took no call.
    """
    if scenario.whole or scenario.name == "down":
        return False
    return not (scenario.partial and observation.baseline.policy.cached)


def too_many_calls(scenario: Scenario, observation: Observation) -> str:
    """Return a clause where the dependency was called more often than the policy allows, or the empty string.

    One retry of each call that was hit is what a partial fault calls for, and is allowed.
    """
    most = observation.baseline.policy.max_amplification
    if not are_counted(scenario, observation):
        return ""
    calls = calls_per_request(scenario, observation)
    if not scenario.partial:
        within = f"{calls:.1f} times per request within one second; at most {most:g} are allowed"
        return f"the dependency was called {within}" if calls > most else ""
    complete, _ = _complete(observation)
    hit = observation.hits / (complete + observation.hits)  # share of the calls
    if calls <= most + hit:
        return ""
    return (
        f"the dependency was called {calls:.1f} times per request while {share(hit)} of its calls failed; with one "
        f"retry of each they would be {1 + hit:.1f}, and at most {most + hit:.1f} are allowed"
    )


def _complete(observation: Observation) -> tuple[int, int]:
    users = observation.uses
    return int((users & observation.complete).sum()), int(users.sum())
