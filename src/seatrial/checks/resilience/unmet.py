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
    unmoved = users & observation.matches_reference & ~observation.flagged
    if scenario.whole:
        late = fault.latency / 2e3 if isinstance(fault, Latency) else 0.0
        unmoved &= observation.seconds < late
    if not users.any() or not unmoved[users].all():
        return ""
    shown = "came no later" if scenario.whole else "are complete and as recorded"
    return (
        f"the fault was applied {plural(observation.hits, 'time')} and met no request: all {int(users.sum()):,} "
        f"answers that need the dependency {shown}. The data may come from another address, such as one that a broker "
        "or a cluster advertises to its clients: give an address that all of it goes through. If the service caches "
        "the data, set cached = true in [dependencies.<name>]"
    )
