"""The built-in fault scenarios: what can happen to a dependency, in the terms of its own time-out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from seatrial import plugins
from seatrial.faults.network import Down, Latency, LimitData, ResetPeer, Slicer, Timeout
from seatrial.faults.responses import Blanks, Errors, MissingKeys, TooManyRequests, WrongSchema
from seatrial.faults.scenario import Scenario, TimeoutPolicy

WITHIN = 0.8  # of the time-out: slow, and in time
TRICKLE_PIECES = 20  # bytes that come within one time-out


def scenarios(
    policy: TimeoutPolicy, transports: Sequence[Literal["tcp", "http"]], chosen: Sequence[str] = ()
) -> list[Scenario]:
    """Return the scenarios of a dependency in their order; by default all that apply over its transports.

    Args:
        policy: the dependency's.
        transports: ``("tcp",)``, or ``("tcp", "http")`` where its answers can be changed.
        chosen: names of scenarios.

    Raises:
        UsageError: no installed package has a fault of that name, or what it has is none.

    Example:
        >>> from types import SimpleNamespace
        >>> policy = SimpleNamespace(timeout_ms=300)
        >>> [each.name for each in scenarios(policy, ("tcp",), ["down", "errors"])]
        ['down']
    """
    made = [_make(name, policy) for name in chosen or plugins.names("faults")]
    return sorted((each for each in made if each.transport in transports), key=lambda each: each.order)


def _make(name: str, policy: TimeoutPolicy) -> Scenario:
    made = plugins.load("faults", name)(policy)
    if not isinstance(made, Scenario) or made.name != name:
        raise plugins.misfit("faults", name, f"a function that returns a Scenario named '{name}'", made)
    return made


def _ms(policy: TimeoutPolicy) -> float:
    return policy.timeout_ms or 0.0


def latency_within(policy: TimeoutPolicy) -> Scenario:
    """Answers come late and within the time-out. First, while its connections are still open: nothing is lost."""
    return Scenario("latency_within", Latency(latency=WITHIN * _ms(policy)), whole=True, order=10)


def slicer(_: TimeoutPolicy) -> Scenario:
    """Answers come in small pieces, at full speed."""
    return Scenario("slicer", Slicer(average_size=16, size_variation=8), whole=True, order=20)


def latency_beyond(policy: TimeoutPolicy) -> Scenario:
    """Answers come after twice the time-out."""
    return Scenario("latency_beyond", Latency(latency=2 * _ms(policy)), waits=True, order=30)


def trickle(policy: TimeoutPolicy) -> Scenario:
    """Answers come byte by byte, so that no read times out and the whole takes too long."""
    fault = Slicer(average_size=1, delay=_ms(policy) * 1e3 / TRICKLE_PIECES)
    return Scenario("trickle", fault, waits=True, order=40)


def down(_: TimeoutPolicy) -> Scenario:
    """Nobody listens."""
    return Scenario("down", Down(), order=50)


def timeout(_: TimeoutPolicy) -> Scenario:
    """Connections open and nothing is ever answered."""
    return Scenario("timeout", Timeout(), waits=True, order=60)


def reset_peer(_: TimeoutPolicy) -> Scenario:
    """Connections are reset."""
    return Scenario("reset_peer", ResetPeer(), order=70)


def limit_data(_: TimeoutPolicy) -> Scenario:
    """Connections close after 64 bytes."""
    return Scenario("limit_data", LimitData(bytes=64), order=80)


def errors(_: TimeoutPolicy) -> Scenario:
    """Every answer is a 503."""
    return Scenario("errors", Errors(), order=90)


def too_many_requests(_: TimeoutPolicy) -> Scenario:
    """Every answer is a 429 with Retry-After."""
    return Scenario("too_many_requests", TooManyRequests(), order=100)


def wrong_schema(_: TimeoutPolicy) -> Scenario:
    """Fields of the answers have other names."""
    return Scenario("wrong_schema", WrongSchema(), order=110)


def nulls(_: TimeoutPolicy) -> Scenario:
    """Values of the answers are null."""
    return Scenario("nulls", Blanks(), order=120)


def missing_keys(_: TimeoutPolicy) -> Scenario:
    """Entries of the answers are missing."""
    return Scenario("missing_keys", MissingKeys(), order=130)
