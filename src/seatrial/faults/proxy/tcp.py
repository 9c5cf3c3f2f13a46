"""A TCP proxy between the service and one of its dependencies, on which faults are placed for a while.

    with TcpProxy("127.0.0.1", 6379, seed=7) as proxy:
        service = start(store=proxy.through("redis://127.0.0.1:6379/0"))
        with proxy.fault(Latency(latency=500)) as hits:
            ...
        assert hits.count > 0

The fault is undone after the inner block, also where that raises; after the outer one nothing is left behind.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from seatrial.errors import TargetError, UsageError
from seatrial.faults.addresses import Address, with_addresses
from seatrial.faults.base import Fault, seeded_random
from seatrial.faults.network import Down
from seatrial.faults.proxy.connection import ProxiedConnection
from seatrial.process.event_loop import Background

_BACKLOG = 4096


@dataclass
class FaultCounter:
    """How often a fault did something. Zero means that it was never hit, and that nothing was shown."""

    count: int = 0

    def add(self) -> None:
        """Count one."""
        self.count += 1


class TcpProxy:
    """A proxy on a free port of this machine that passes everything to ``host:port``.

    Args:
        host: of the dependency.
        port: of the dependency.
        seed: decides which connections a fault's toxicity hits.
        tls: how TLS is spoken to the dependency, and plain bytes to its clients; None where nothing is changed.
        bind: the address of this machine on which it listens.
        name: what clients call this machine; by default ``bind``.

    Attributes:
        address: host and port on which the proxy listens.
        connections: how many were accepted so far.
        trouble: why the dependency could not be reached last; empty where it always could.

    Raises:
        TargetError: the proxy cannot listen.
    """

    def __init__(
        self, host: str, port: int, *, seed: int = 0, tls: ssl.SSLContext | None = None, bind: str = "127.0.0.1",
        name: str = "",
    ) -> None:  # fmt: skip
        self.upstream, self.seed, self._tls = (host, port), seed, tls
        self._bind, self.name = bind, name or bind
        self._family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        self.connections, self.trouble = 0, ""
        self._open: dict[ProxiedConnection, int] = {}
        self._faults: dict[int, tuple[Fault, FaultCounter]] = {}
        self._applied = 0
        self._server: asyncio.Server | None = None
        self._down: FaultCounter | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    def __enter__(self) -> TcpProxy:
        # Bound but never listening, it reserves the port while the listener is down, so that attempts are refused.
        self._port_holder = socket.socket(self._family, socket.SOCK_STREAM)
        self._port_holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._port_holder.bind((self._bind, 0))
        except OSError as error:
            self._port_holder.close()
            raise TargetError(
                f"The proxy cannot listen on {self._bind}: {error.strerror}. Give an address of this machine, as "
                "'ip address' lists them, as bind in [resilience] of service.toml."
            ) from error
        self.address: tuple[str, int] = self._port_holder.getsockname()[:2]
        self._background = Background(f"proxy of {self.upstream[0]}:{self.upstream[1]}")
        self._background.run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._background.run(self._close())
        finally:
            self._background.stop()
            self._port_holder.close()

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    @property
    def held(self) -> int:
        """How many connections are open now and were not ended by the client: as many as it still uses."""
        return sum(not (each.closing or each.upstream.ended) for each in list(self._open))

    def through(self, url: str) -> str:
        """Return the dependency's URL with this proxy's address in place of its own."""
        return with_addresses(url, [self.place])

    @property
    def place(self) -> Address:
        """Where the service reaches the dependency."""
        return Address(self.name, self.address[1])

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[FaultCounter]:
        """Place a fault on present and future connections until the block ends.

        Raises:
            UsageError: a second ``Down`` at the same time, or a ``Down`` for a share of the connections.
        """
        hits = FaultCounter()
        self._applied += 1
        number = self._applied
        try:
            self._background.run(self._place(number, fault, hits))
            yield hits
        finally:
            self._background.run(self._undo(number, fault))

    async def _place(self, number: int, fault: Fault, hits: FaultCounter) -> None:
        if isinstance(fault, Down):
            if self._down is not None or fault.toxicity < 1:
                raise UsageError(
                    "Down() ends the whole dependency: it takes no toxicity, and no second Down() at a time."
                )
            self._down = hits
            for connection in list(self._open):
                hits.add()
                connection.close()
            if hits.count:
                self._stop_listening()
        else:
            for connection, ordinal in list(self._open.items()):
                connection.apply(number, fault, seeded_random(self.seed, number, ordinal), hits.add)
        self._faults[number] = fault, hits

    async def _undo(self, number: int, fault: Fault) -> None:
        if self._faults.pop(number, None) is None:
            return
        for connection in list(self._open):
            connection.undo(number, fault)
        if isinstance(fault, Down):
            self._down = None
            if self._server is None:
                await self._listen()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        listener = None
        try:
            listener = self._listener()
            self._server = await loop.create_server(
                lambda: ProxiedConnection(self, loop).client, sock=listener, backlog=_BACKLOG
            )
        except OSError as error:
            if listener is not None:
                listener.close()
            raise TargetError(f"The proxy cannot listen on port {self.address[1]}: {error.strerror}.") from error

    def _listener(self) -> socket.socket:
        listener = socket.socket(self._family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(self.address)
        return listener

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def connected(self, connection: ProxiedConnection) -> None:
        """Connect a new client to the dependency, unless that is down."""
        self.connections += 1
        self._open[connection] = self.connections
        if self._down is not None:
            self._down.add()
            connection.reset()
            self._stop_listening()
            return
        for number, (fault, hits) in self._faults.items():
            connection.apply(number, fault, seeded_random(self.seed, number, self.connections), hits.add)
        task = connection.loop.create_task(self._connect(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: ProxiedConnection) -> None:
        try:
            await self._connect_upstream(connection)
        except OSError as error:
            self.trouble = str(error)
            connection.reset()

    async def _connect_upstream(self, connection: ProxiedConnection) -> None:
        named: dict[str, Any] = {"ssl": self._tls, "server_hostname": self.upstream[0]} if self._tls else {}
        await connection.loop.create_connection(lambda: connection.server, *self.upstream, **named)

    def disconnected(self, connection: ProxiedConnection) -> None:
        """Remove a closed connection."""
        self._open.pop(connection, None)

    async def _close(self) -> None:
        self._stop_listening()
        while self._open or self._connecting:
            for connection in list(self._open):
                connection.reset()
            for task in list(self._connecting):
                task.cancel()
            await asyncio.sleep(0)
