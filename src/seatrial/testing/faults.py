"""What every fault scenario promises."""

from __future__ import annotations

import json
from dataclasses import dataclass

from seatrial.faults.base import Fault, Signal, seeded_random
from seatrial.faults.messages import HttpResponse
from seatrial.faults.network import Down
from seatrial.faults.responses import ResponseFault
from seatrial.faults.scenario import Scenario, ScenarioFactory
from seatrial.testing.registration import require

PIECES = tuple(bytes([n]) * 100 for n in range(1, 6))
ANSWER = HttpResponse(
    200,
    (("content-type", "application/json"),),
    json.dumps({"r0001": {"weight": 2.5, "name": "a", "as_of": "2026-01-01T00:00:00Z"}}).encode(),
)
NO_JSON = HttpResponse(200, (("content-type", "text/plain"),), b"\x00 no JSON")


@dataclass(frozen=True)
class Timeouts:
    """A policy with a time-out in milliseconds, or none."""

    timeout_ms: float | None


def fault_conforms(name: str, factory: ScenarioFactory) -> None:
    """Hold a fault scenario to its protocol: named as registered, the same each time, and it does something.

    Args:
        name: under which it is registered.
        factory: the function that makes it.

    Raises:
        AssertionError: the first promise that is broken.

    Example:
        >>> from seatrial.faults.scenarios import down
        >>> fault_conforms("down", down)
    """
    for timeout in (None, 50.0, 5_000.0):
        policy = Timeouts(timeout)
        scenario = factory(policy)
        require(isinstance(scenario, Scenario), f"Fault '{name}' returned a {type(scenario).__name__}, not a Scenario.")
        require(scenario.name == name, f"Fault '{name}' made a scenario named '{scenario.name}'.")
        require(factory(policy) == scenario, f"Fault '{name}' made another scenario from the same policy.")
        if isinstance(scenario.fault, ResponseFault):
            _changes(scenario)
        else:
            _acts(scenario, scenario.fault)


def _acts(scenario: Scenario, fault: Fault) -> None:
    hits: list[bool] = []
    transform = fault.begin(seeded_random(0, 1, 1), lambda: hits.append(True))
    came: list[tuple[float, bytes | Signal]] = []
    pieces = [*PIECES] * (50 if scenario.partial else 1)  # a small share hits few of them
    items: list[bytes | Signal] = [Signal.START, *pieces, Signal.END]
    for at, item in enumerate(items):
        for due, out in transform(float(at), item):
            require(due >= at, f"Fault '{scenario.name}' let something out before it came in.")
            came.append((due, out))
    require(
        hits or isinstance(fault, Down),
        f"Fault '{scenario.name}' did not call 'on_hit' for {len(PIECES)} pieces of data: a fault that is not seen to "
        "fire makes its experiment inconclusive.",
    )
    out = b"".join(item for _, item in came if isinstance(item, bytes))
    whole = b"".join(pieces)
    if scenario.whole:
        require(out == whole, f"Fault '{scenario.name}' is declared 'whole' and lost or changed data.")


def _changes(scenario: Scenario) -> None:
    fault = scenario.fault
    assert isinstance(fault, ResponseFault)
    changed = [fault.change(ANSWER, 3, number) for number in range(1, 20)]
    require(any(changed), f"Fault '{scenario.name}' changed none of 19 answers.")
    for number, each in enumerate(changed, 1):
        require(each is None or isinstance(each, HttpResponse), f"Fault '{scenario.name}' returned no HttpResponse.")
        require(
            fault.change(ANSWER, 3, number) == each,
            f"Fault '{scenario.name}' changed answer {number} otherwise the second time: decide by the seed.",
        )
    fault.change(NO_JSON, 3, 1)
