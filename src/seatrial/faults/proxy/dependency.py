"""The proxies between a service and one dependency."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from seatrial.faults.base import Fault
from seatrial.faults.proxy.http import HttpProxy
from seatrial.faults.proxy.tcp import DEFAULT_PORTS, FaultCounter, TcpProxy, address_of
from seatrial.faults.responses import ResponseFault


def is_proxied(url: str) -> bool:
    """Return whether a proxy can stand before a dependency: its URL has a host and a port.

    Example:
        >>> is_proxied("redis://127.0.0.1:6379/0"), is_proxied("sqlite:///orders.db")
        (True, False)
    """
    scheme, separator, rest = url.partition("://")
    known = scheme.split("+")[0] in DEFAULT_PORTS
    return bool(separator) and rest[:1] not in ("", "/") and (known or ":" in rest.rpartition("@")[2])


class DependencyProxy:
    """The proxies between a service and one dependency: one for its connections, over HTTP also one for its responses.

    Args:
        url: the dependency's.
        seed: decides what a fault with a share or a toxicity hits.
        bind: the address of this machine on which the service reaches it.
        name: what the service calls this machine; by default ``bind``.

    Example:
        >>> with DependencyProxy("redis://127.0.0.1:6379/0", seed=7) as proxy:
        ...     service = start(store=proxy.through)
        ...     with proxy.fault(Latency(latency=500)) as hits:
        ...         ...
    """

    def __init__(self, url: str, *, seed: int = 0, bind: str = "127.0.0.1", name: str = "") -> None:
        self.url, self.seed, self._bind, self._name = url, seed, bind, name
        self._stack = ExitStack()
        self._http: HttpProxy | None = None

    def __enter__(self) -> DependencyProxy:
        host, port = address_of(self.url)
        if self.url.startswith("http:"):
            self._http = self._stack.enter_context(HttpProxy(self.url, seed=self.seed))
            host, port = self._http.address
        self._tcp = self._stack.enter_context(TcpProxy(host, port, seed=self.seed, bind=self._bind, name=self._name))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def port(self) -> int:
        """The port on which the service reaches the dependency."""
        return self._tcp.address[1]

    @property
    def held(self) -> int:
        """How many connections to the dependency the service holds open, as seen from here."""
        return self._tcp.held

    @property
    def through(self) -> str:
        """The dependency's URL through the proxy, for the service."""
        return self._tcp.through(self.url)

    @property
    def calls(self) -> int:
        """How often the dependency was called so far: requests over HTTP, otherwise new connections."""
        return max(self._tcp.connections, self._http.requests if self._http else 0)

    @contextmanager
    def fault(self, fault: Fault | ResponseFault) -> Iterator[FaultCounter]:
        """Place a fault until the block ends; the counter shows how often it did something."""
        with self._placed(fault) as hits:
            yield hits

    def _placed(self, fault: Fault | ResponseFault) -> AbstractContextManager[FaultCounter]:
        if isinstance(fault, Fault):
            return self._tcp.fault(fault)
        assert self._http is not None
        return self._http.fault(fault)
