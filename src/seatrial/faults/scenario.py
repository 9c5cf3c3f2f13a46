"""A fault scenario: one way in which a dependency can fail, and what must hold meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from seatrial.faults.base import Fault
from seatrial.faults.partial import Partial
from seatrial.faults.responses import ResponseFault

LAST = 1_000  # the order of a scenario that states none: after the built-in ones


class TimeoutPolicy(Protocol):
    """What a scenario may read of a dependency's policy, ``[dependencies.<name>]`` of service.toml."""

    @property
    def timeout_ms(self) -> float | None:
        """How long the service waits for the dependency, in milliseconds; None where it is not declared."""


@dataclass(frozen=True)
class Scenario:
    """One fault on one dependency.

    An extension registers a function that makes it as an entry point of the group ``seatrial.faults``, under its name.

    Attributes:
        name: as ``faults`` in service.toml names it.
        fault: what is placed: a ``Fault`` on the connection, or a ``ResponseFault`` on the dependency's HTTP responses.
        whole: nothing is lost within the time-out, so answers must stay as recorded.
        waits: callers of the dependency wait for the whole time-out, so that a circuit breaker has to open.
        order: its place in the experiment, lowest first. Built-in scenarios have 10 to 130; those that need the
            service's connections still open come first.

    Example:
        >>> def half_errors(policy):
        ...     return Scenario("half_errors", Errors(share=0.5))
    """

    name: str
    fault: Fault | ResponseFault
    whole: bool = False
    waits: bool = False
    order: int = LAST

    @property
    def transport(self) -> Literal["tcp", "http"]:
        """The transport it needs: ``http`` where it changes responses, else ``tcp``, which every dependency has."""
        return "http" if isinstance(self.fault, ResponseFault) else "tcp"

    @property
    def partial(self) -> bool:
        """Whether it hits a share of the requests to the dependency, and counts each of them once."""
        fault = self.fault
        return isinstance(fault, Partial) or (isinstance(fault, ResponseFault) and fault.share < 1)


ScenarioFactory = Callable[[TimeoutPolicy], Scenario]
"""Makes a scenario in the terms of a dependency's own time-out."""
