"""The proxies between a service and one dependency."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from seatrial.errors import UsageError
from seatrial.faults.addresses import PLAIN, Address, addresses_of, over_http, scheme_of, with_addresses, without_tls
from seatrial.faults.base import Fault
from seatrial.faults.proxy.http import HttpProxy
from seatrial.faults.proxy.tcp import FaultCounter, TcpProxy
from seatrial.faults.proxy.unix import UnixProxy
from seatrial.faults.responses import ResponseFault


def is_proxied(url: str) -> bool:
    """Return whether a proxy can stand before a dependency: its address names hosts and ports, or socket files.

    Example:
        >>> is_proxied("redis://127.0.0.1:6379/0"), is_proxied("sqlite:///orders.db")
        (True, False)
    """
    with contextlib.suppress(UsageError):
        return bool(addresses_of(url))
    return False


@dataclass(frozen=True)
class Hits:
    """How often a fault did something at any of a dependency's addresses; one of them may never be asked."""

    parts: Sequence[FaultCounter]

    @property
    def count(self) -> int:
        """The sum."""
        return sum(each.count for each in self.parts)


class DependencyProxy:
    """The proxies between a service and one dependency: one an address, and over HTTP one more for its responses.

    A fault is placed at each of the addresses.

    Args:
        url: the dependency's.
        seed: decides what a fault with a share or a toxicity hits.
        tls: whether TLS is spoken to the dependency and plain bytes to the service, by the dependency's real name.
        bind: the address of this machine on which the service reaches it.
        name: what the service calls this machine; by default ``bind``.

    Raises:
        UsageError: the address names no place, or ``tls`` is set and its scheme does not stand for TLS.

    Example:
        >>> with DependencyProxy("redis://127.0.0.1:6379/0", seed=7) as proxy:
        ...     service = start(store=proxy.through)
        ...     with proxy.fault(Latency(latency=500)) as hits:
        ...         ...
    """

    def __init__(
        self, url: str, *, seed: int = 0, tls: bool = False, bind: str = "127.0.0.1", name: str = ""
    ) -> None:  # fmt: skip
        self.url, self.seed, self._tls, self._bind, self._name = url, seed, tls, bind, name
        self._plain = without_tls(url) if tls else url
        self._stack = ExitStack()
        self._outer: list[TcpProxy] = []
        self._http: list[HttpProxy] = []

    def __enter__(self) -> DependencyProxy:
        try:
            for number, place in enumerate(addresses_of(self.url)):
                self._outer.append(self._stack.enter_context(self._proxy(place, self.seed + number)))
        except BaseException:
            self._stack.close()
            raise
        return self

    def _proxy(self, place: Address, seed: int) -> TcpProxy:
        to, tls = place, None
        if over_http(self._plain):
            url = f"{scheme_of(self.url)}://{place}" if not place.path else with_addresses("http+unix://%2Fx", [place])
            http = self._stack.enter_context(HttpProxy(url, seed=seed))
            self._http.append(http)
            to = Address(*http.address)
        elif self._tls:
            tls = ssl.create_default_context()
        if place.path:
            return UnixProxy(Path(place.path).name, to, seed=seed)
        return TcpProxy(to.host, to.port, seed=seed, tls=tls, bind=self._bind, name=self._name)

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def ports(self) -> frozenset[int]:
        """The ports of this machine on which the service reaches the dependency."""
        return frozenset(each.place.port for each in self._outer if not each.place.path)

    @property
    def open_files(self) -> int:
        """How many connections over socket files are open: the system does not tell whose they are."""
        return sum(each.open for each in self._outer if each.place.path)

    @property
    def held(self) -> int:
        """How many connections to the dependency the service holds open, as seen from here."""
        return sum(each.held for each in self._outer)

    @property
    def through(self) -> str:
        """The dependency's address through the proxies, for the service."""
        places = [
            replace(proxy.place, host=place.host) if self._keeps_name(place) else proxy.place
            for proxy, place in zip(self._outer, addresses_of(self.url), strict=True)
        ]
        return with_addresses(self._plain, places)

    @property
    def trouble(self) -> str:
        """Why a proxy could not reach the dependency last, such as a certificate that does not hold; else empty."""
        told = [*(each.trouble for each in self._http), *(each.trouble for each in self._outer)]
        return next(filter(None, told), "")

    @property
    def unnamed(self) -> str:
        """The name for which the service gets an address that no certificate of it holds for; empty where none."""
        if scheme_of(self._plain) not in PLAIN:
            return ""
        return next((p.host for p in addresses_of(self.url) if not p.path and not self._keeps_name(p)), "")

    def _keeps_name(self, place: Address) -> bool:
        own = self._bind == "127.0.0.1" and not self._name
        return own and scheme_of(self._plain) in PLAIN and not place.path and _is_loopback(place.host)

    @property
    def calls(self) -> int:
        """How often the dependency was called so far: requests over HTTP, otherwise new connections."""
        return max(sum(each.connections for each in self._outer), sum(each.requests for each in self._http))

    @contextmanager
    def fault(self, fault: Fault | ResponseFault) -> Iterator[Hits]:
        """Place a fault until the block ends; the counter shows how often it did something."""
        with ExitStack() as placed:
            if isinstance(fault, Fault):
                yield Hits([placed.enter_context(each.fault(fault)) for each in self._outer])
            else:
                assert self._http
                yield Hits([placed.enter_context(each.fault(fault)) for each in self._http])


def _is_loopback(host: str) -> bool:
    """Return whether a name leads to this machine, so that a proxy here can be reached by it."""
    with contextlib.suppress(OSError, ValueError):
        found = {str(each[4][0]) for each in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
        return "127.0.0.1" in found and all(ip_address(each).is_loopback for each in found)
    return False
