"""The built-in fault scenarios: how a dependency can fail, relative to its own time-out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from seatrial import plugins
from seatrial.faults.network import Down, Drip, Latency, LimitData, ResetPeer, Slicer, Timeout
from seatrial.faults.partial import Partial
from seatrial.faults.responses import Blanks, Errors, MissingKeys, TooManyRequests, WrongSchema
from seatrial.faults.scenario import Scenario, TimeoutPolicy

WITHIN = 0.8  # share of the time-out: slow, but in time
PARTLY = 0.6  # share of the requests: three retries and more show in the number of calls, one does not
TRICKLE_PIECES = 20  # bytes that come within one time-out


def scenarios(
    policy: TimeoutPolicy, transports: Sequence[Literal["tcp", "http"]], chosen: Sequence[str] = ()
) -> list[Scenario]:
    """Return the scenarios of a dependency in their order; by default all that apply over its transports.

    Args:
        policy: the dependency's.
        transports: ``("tcp",)``, or ``("tcp", "http")`` where its responses can be changed.
        chosen: names of scenarios.

    Raises:
        UsageError: no installed package registers a fault of that name, or what it registers is not a scenario.

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


def _timeout_ms(policy: TimeoutPolicy) -> float:
    return policy.timeout_ms or 0.0


def latency_within(policy: TimeoutPolicy) -> Scenario:
    """Responses come late, but within the time-out. It runs first, while the service's connections are open."""
    return Scenario("latency_within", Latency(latency=WITHIN * _timeout_ms(policy)), whole=True, order=10)


def jitter(policy: TimeoutPolicy) -> Scenario:
    """Responses come after a time that differs each time, within the time-out."""
    half = WITHIN / 2 * _timeout_ms(policy)
    return Scenario("jitter", Latency(latency=half, jitter=half), whole=True, order=15)


def slicer(_: TimeoutPolicy) -> Scenario:
    """Responses come in small pieces, at full speed."""
    return Scenario("slicer", Slicer(average_size=16, size_variation=8), whole=True, order=20)


def drip(policy: TimeoutPolicy) -> Scenario:
    """Responses come in ten slow drips, the last of them within the time-out."""
    return Scenario("drip", Drip(spread=WITHIN * _timeout_ms(policy)), whole=True, order=25)


def latency_beyond(policy: TimeoutPolicy) -> Scenario:
    """Responses come after twice the time-out."""
    return Scenario("latency_beyond", Latency(latency=2 * _timeout_ms(policy)), waits=True, order=30)


def trickle(policy: TimeoutPolicy) -> Scenario:
    """Responses come byte by byte: no read times out, but the whole takes too long."""
    fault = Slicer(average_size=1, delay=_timeout_ms(policy) * 1e3 / TRICKLE_PIECES)
    return Scenario("trickle", fault, waits=True, order=40)


def down(_: TimeoutPolicy) -> Scenario:
    """Connections are refused."""
    return Scenario("down", Down(), order=50)


def timeout(_: TimeoutPolicy) -> Scenario:
    """Connections open, and no response ever comes."""
    return Scenario("timeout", Timeout(), waits=True, order=60)


def some_timeouts(_: TimeoutPolicy) -> Scenario:
    """To 0.6 of the requests no response ever comes, so that no circuit breaker must open, and retries show."""
    return Scenario("some_timeouts", Partial(fault=Timeout(), share=PARTLY), order=65)


def reset_peer(_: TimeoutPolicy) -> Scenario:
    """Connections are reset."""
    return Scenario("reset_peer", ResetPeer(), order=70)


def some_resets(_: TimeoutPolicy) -> Scenario:
    """The connections of 0.6 of the requests are reset."""
    return Scenario("some_resets", Partial(fault=ResetPeer(), share=PARTLY), order=75)


def limit_data(_: TimeoutPolicy) -> Scenario:
    """Connections close after 64 bytes."""
    return Scenario("limit_data", LimitData(bytes=64), order=80)


def errors(_: TimeoutPolicy) -> Scenario:
    """Every response is a 503."""
    return Scenario("errors", Errors(), order=90)


def some_errors(_: TimeoutPolicy) -> Scenario:
    """The response to 0.6 of the requests is a 503."""
    return Scenario("some_errors", Errors(share=PARTLY), order=95)


def too_many_requests(_: TimeoutPolicy) -> Scenario:
    """Every response is a 429 with Retry-After."""
    return Scenario("too_many_requests", TooManyRequests(), order=100)


def wrong_schema(_: TimeoutPolicy) -> Scenario:
    """Fields of the responses have other names."""
    return Scenario("wrong_schema", WrongSchema(), order=110)


def nulls(_: TimeoutPolicy) -> Scenario:
    """Values in the responses are null."""
    return Scenario("nulls", Blanks(), order=120)


def missing_keys(_: TimeoutPolicy) -> Scenario:
    """Entries are missing from the responses."""
    return Scenario("missing_keys", MissingKeys(), order=130)
