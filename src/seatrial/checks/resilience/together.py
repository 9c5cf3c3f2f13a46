"""Several dependencies that fail at the same moment, as one: their proxies and their policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from seatrial.checks.serving.matrix import faults_together
from seatrial.faults.base import Fault
from seatrial.faults.proxy.dependency import DependencyProxy, Hits
from seatrial.faults.responses import ResponseFault
from seatrial.policy.failures import FailurePolicy


class Proxies:
    """The proxies of one or several dependencies, which are placed, asked and broken together.

    Args:
        by_name: one for each dependency; they are entered with these.

    Attributes:
        url: the address of the first one.
    """

    def __init__(self, by_name: Mapping[str, DependencyProxy]) -> None:
        self._by_name, self._stack = dict(by_name), ExitStack()
        self._every = list(self._by_name.values())
        self.url = self._every[0].url

    def __enter__(self) -> Proxies:
        with ExitStack() as entering:
            for each in self._every:
                entering.enter_context(each)
            self._stack = entering.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def through(self) -> dict[str, str]:
        """The address of each dependency for the service, by its name."""
        return {name: proxy.through for name, proxy in self._by_name.items()}

    @property
    def names(self) -> Sequence[str]:
        """The names of the dependencies."""
        return list(self._by_name)

    @property
    def ports(self) -> frozenset[int]:
        """The ports of this machine on which the service reaches them."""
        return frozenset(port for each in self._every for port in each.ports)

    @property
    def open_files(self) -> int:
        """How many connections to them over socket files are open."""
        return sum(each.open_files for each in self._every)

    @property
    def held(self) -> int:
        """How many connections to them the service holds open, as seen from here."""
        return sum(each.held for each in self._every)

    @property
    def calls(self) -> int:
        """How often they were called so far."""
        return sum(each.calls for each in self._every)

    @property
    def trouble(self) -> str:
        """Why a proxy could not reach its dependency last, with the dependency's name; else empty."""
        found = ((name, proxy.trouble) for name, proxy in self._by_name.items())
        return next((f"'{name}': {why}" for name, why in found if why), "")

    @property
    def unnamed(self) -> str:
        """A name for which the service gets an address that no certificate holds for; empty where there is none."""
        return next((each.unnamed for each in self._every if each.unnamed), "")

    @contextmanager
    def fault(self, fault: Fault | ResponseFault) -> Iterator[Hits]:
        """Place a fault on all of them until the block ends."""
        with ExitStack() as placed:
            hits = [placed.enter_context(each.fault(fault)) for each in self._every]
            yield Hits([part for each in hits for part in each.parts])


def policy_together(policies: Sequence[FailurePolicy]) -> FailurePolicy:
    """Return what must hold when dependencies fail together, of what must hold when each fails alone.

    A request may wait for one after the other. A circuit breaker is judged where each fails alone.
    """
    first, longest = policies[0], max(policies, key=lambda each: each.deadline)
    others = sum(each.timeout for each in policies) - longest.timeout
    pools = [each.max_connections for each in policies]
    return first.model_copy(
        update={
            "timeout_ms": max(each.timeout for each in policies) * 1e3,
            "deadline_ms": (longest.deadline + others) * 1e3,
            "recovery_seconds": max(each.recovery_seconds for each in policies),
            "max_amplification": sum(each.max_amplification for each in policies),
            "max_connections": None if None in pools else sum(each or 0 for each in pools),
            "circuit_breaker": False,
            "hard": any(each.hard for each in policies),
            "cached": any(each.cached for each in policies),
            "faults": faults_together(policies),
            "unaffected": tuple(p for p in first.unaffected if all(p in each.unaffected for each in policies)),
            "rate": min(each.rate for each in policies),
            "fault_seconds": max(each.fault_seconds for each in policies),
            "budget_seconds": max(each.budget_seconds for each in policies),
        }
    )
