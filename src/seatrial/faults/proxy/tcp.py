"""A TCP proxy between the service and one of its dependencies, on which faults are placed for a while.

    with Wire("127.0.0.1", 6379, seed=7) as wire:
        service = start(store=wire.through("redis://127.0.0.1:6379/0"))
        with wire.fault(Latency(latency=500)) as hits:
            ...
        assert hits.count > 0

Whatever happens inside the inner block, the fault is gone after it; after the outer one nothing is left.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from seatrial.errors import TargetError, UsageError
from seatrial.faults.network import Down, Fault, chance
from seatrial.faults.proxy.connection import Link
from seatrial.process.event_loop import Background

DEFAULT_PORTS = {"http": 80, "postgresql": 5432, "postgres": 5432, "mysql": 3306, "redis": 6379, "mongodb": 27017}
_BACKLOG = 4096


@dataclass
class FaultCounter:
    """How often a fault did something. Zero means that it was never met, and nothing was shown."""

    count: int = 0

    def add(self) -> None:
        """Count one."""
        self.count += 1


def endpoint(url: str) -> tuple[str, int]:
    """Return host and port of a dependency's URL; schemes like ``postgresql+psycopg`` have their usual port."""
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORTS.get(parts.scheme.split("+")[0])
    if not parts.hostname or port is None:
        shown = url.rpartition("@")[2]  # never the password
        raise UsageError(f"There is no host and port in '{shown}'; say it like redis://127.0.0.1:6379/0.")
    return parts.hostname, port


class TcpProxy:
    """The proxy. Listens on a free port of 127.0.0.1 and passes everything to ``host:port``.

    ``connections`` counts what was accepted so far, ``open`` what is open now.
    """

    def __init__(self, host: str, port: int, *, seed: int = 0) -> None:
        self.upstream, self.seed = (host, port), seed
        self.connections = 0
        self._links: dict[Link, int] = {}
        self._faults: dict[int, tuple[Fault, FaultCounter]] = {}
        self._applied = 0
        self._server: asyncio.Server | None = None
        self._down: FaultCounter | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    def __enter__(self) -> TcpProxy:
        # Bound but never listening, it keeps the port ours while the listener is down, and has it refused.
        self._keeper = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._keeper.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._keeper.getsockname()
        self._background = Background(f"wire to {self.upstream[0]}:{self.upstream[1]}")
        self._background.run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._background.run(self._close())
        finally:
            self._background.stop()
            self._keeper.close()

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._links)

    def through(self, url: str) -> str:
        """Return the dependency's URL with this proxy's address in place of its own."""
        parts = urlsplit(url)
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return urlunsplit(parts._replace(netloc=f"{user}{self.address[0]}:{self.address[1]}"))

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[FaultCounter]:
        """Place a fault on the connections there are and those that come, until the block ends.

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
                raise UsageError("A dependency is down as a whole, and once: Down() takes no toxicity and no second.")
            self._down = hits
            for link in list(self._links):
                hits.add()
                link.close()
            if hits.count:
                self._stop_listening()
        else:
            for link, connection in list(self._links.items()):
                link.apply(number, fault, chance(self.seed, number, connection), hits.add)
        self._faults[number] = fault, hits

    async def _undo(self, number: int, fault: Fault) -> None:
        if self._faults.pop(number, None) is None:
            return
        for link in list(self._links):
            link.undo(number, fault)
        if isinstance(fault, Down):
            self._down = None
            if self._server is None:
                await self._listen()

    async def _listen(self) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self.address)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: Link(self, loop).client, sock=listener, backlog=_BACKLOG)
        except OSError as error:
            listener.close()
            raise TargetError(f"The proxy cannot listen on port {self.address[1]}: {error.strerror}.") from error

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def arrived(self, link: Link) -> None:
        """Connect a new client through, unless the dependency is down."""
        self.connections += 1
        self._links[link] = self.connections
        if self._down is not None:
            self._down.add()
            link.reset()
            self._stop_listening()
            return
        for number, (fault, hits) in self._faults.items():
            link.apply(number, fault, chance(self.seed, number, self.connections), hits.add)
        task = link.loop.create_task(self._connect(link))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, link: Link) -> None:
        try:
            await link.loop.create_connection(lambda: link.server, *self.upstream)
        except OSError:
            link.reset()

    def gone(self, link: Link) -> None:
        """Forget a closed link."""
        self._links.pop(link, None)

    async def _close(self) -> None:
        self._stop_listening()
        while self._links or self._connecting:
            for link in list(self._links):
                link.reset()
            for task in list(self._connecting):
                task.cancel()
            await asyncio.sleep(0)
