"""A proxy between a service and one dependency."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from seatrial.faults.network import Fault
from seatrial.faults.proxy.http import HttpProxy
from seatrial.faults.proxy.tcp import DEFAULT_PORTS, FaultCounter, TcpProxy, endpoint
from seatrial.faults.responses import AnswerFault


def over_tcp(url: str) -> bool:
    """Whether a dependency's URL names a host and a port that a wire can be put in front of."""
    scheme, separator, rest = url.partition("://")
    known = scheme.split("+")[0] in DEFAULT_PORTS
    return bool(separator) and rest[:1] not in ("", "/") and (known or ":" in rest.rpartition("@")[2])


class DependencyProxy:
    """The proxies between the service and one dependency: TCP faults on the wire, for HTTP also faults on answers."""

    def __init__(self, url: str, *, seed: int = 0) -> None:
        self.url, self.seed = url, seed
        self._stack = ExitStack()
        self._reverse: HttpProxy | None = None

    def __enter__(self) -> DependencyProxy:
        host, port = endpoint(self.url)
        if self.url.startswith("http:"):
            self._reverse = self._stack.enter_context(HttpProxy(self.url, seed=self.seed))
            host, port = self._reverse.address
        self.wire = self._stack.enter_context(TcpProxy(host, port, seed=self.seed))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def port(self) -> int:
        """Where the service reaches it."""
        return self.wire.address[1]

    @property
    def through(self) -> str:
        """The dependency's URL as the service is given it."""
        return self.wire.through(self.url)

    @property
    def calls(self) -> int:
        """How often it was called so far: requests where they can be told apart, new connections where not."""
        return max(self.wire.connections, self._reverse.requests if self._reverse else 0)

    @contextmanager
    def fault(self, fault: Fault | AnswerFault) -> Iterator[FaultCounter]:
        """Place a fault until the block ends."""
        with self._placed(fault) as hits:
            yield hits

    def _placed(self, fault: Fault | AnswerFault) -> AbstractContextManager[FaultCounter]:
        if isinstance(fault, Fault):
            return self.wire.fault(fault)
        assert self._reverse is not None
        return self._reverse.fault(fault)
