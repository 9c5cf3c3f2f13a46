"""Whether a fault that was applied met any request: a fault that moves nothing shows nothing."""

from __future__ import annotations

from seatrial.checks.resilience.observation import Observation
from seatrial.faults.network import Latency
from seatrial.faults.scenario import Scenario
from seatrial.formatting import plural


def unmet(scenario: Scenario, observation: Observation) -> str:
    """Return a clause that the fault met no request, or the empty string.

    A broker or a cluster names other addresses to its clients: what goes through the given one may be heartbeats alone.
    Then every answer that needs the dependency is as recorded, and no later than it would be without the fault.
    """
    if observation.baseline.policy.cached:
        return ""
    users, fault = observation.uses, scenario.fault
    if scenario.partial and observation.reached:
        return ""  # retries can hide all of it
    unmoved = users & observation.complete
    if scenario.whole:
        late = fault.latency / 2e3 if isinstance(fault, Latency) else 0.0
        unmoved &= observation.seconds < late
    if not users.any() or not unmoved[users].all():
        return ""
    shown = "came no later" if scenario.whole else "are complete and as recorded"
    if scenario.partial:
        return (
            f"the fault was applied {plural(observation.hits, 'time')}, and all {int(users.sum()):,} answers that need "
            "the dependency are complete and as recorded: retries may hide it, or the data may come from another "
            "address. Run a fault that hits every request beside it, such as 'reset_peer'"
        )
    return (
        f"the fault was applied {plural(observation.hits, 'time')} and met no request: all {int(users.sum()):,} "
        f"answers that need the dependency {shown}. The data may come from another address, such as one that a broker "
        "or a cluster advertises to its clients: give an address that all of it goes through. If the service caches "
        "the data, set cached = true in [dependencies.<name>]"
    )


def moves(observation: Observation) -> bool:
    """Return whether the fault was applied and some answer that needs the dependency is not complete."""
    users = observation.uses
    return observation.hits > 0 and bool((users & ~observation.complete).any())
