"""One connection through the proxy: the client's socket, the dependency's, and both directions between them."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress
from random import Random
from typing import Protocol

from seatrial.faults.base import Fault, Item, OnHit, Signal, Stream, TimedItem, Transform

_MAX_BUFFERED_BYTES = 1 << 20  # beyond this the source is not read, as with a full socket buffer
_RESET = struct.pack("ii", 1, 0)  # linger for no time: close() sends RST


class Direction:
    """One direction of a connection.

    Without faults, bytes are written as they arrive; with faults, when they are due, in order.
    """

    def __init__(self, connection: ProxiedConnection) -> None:
        self.connection = connection
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None
        self.transforms: dict[int, Transform] = {}
        self.queue: deque[TimedItem] = deque()
        self.buffered = 0
        self.last = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.ended = self.finished = self.blocked = False

    def receive(self, item: Item) -> None:
        """Handle an item from the source."""
        if item is Signal.END:
            if self.ended:
                return
            self.ended = True
        if self.transforms or self.queue or self.sink is None:
            self._enqueue(self.connection.loop.time(), item, list(self.transforms.values()))
        else:
            self._deliver(item)

    def add(self, number: int, transform: Transform) -> None:
        """Append a fault's transform to the chain."""
        self.transforms[number] = transform
        self._enqueue(self.connection.loop.time(), Signal.START, [transform])

    def remove(self, number: int) -> bool:
        """Remove a fault and release everything it delays; return whether it was there."""
        if self.transforms.pop(number, None) is None:
            return False
        self.last = 0.0
        self.flush(everything=True)
        return True

    def _enqueue(self, due: float, item: Item, transforms: list[Transform]) -> None:
        items: list[TimedItem] = [(due, item)]
        for transform in transforms:
            items = [changed for each in items for changed in transform(*each)]
        for at, changed in items:
            if self.queue and self.queue[-1][1] is Signal.CLOSE:
                self.queue.pop()  # more follows: the close moves behind it
                self.last = self.queue[-1][0] if self.queue else 0.0
            self.last = max(self.last, at)
            self.queue.append((self.last, changed))
            self.buffered += len(changed) if isinstance(changed, bytes) else 0
        self.flush()

    def apply_backpressure(self) -> None:
        """Read from the source only what can be passed on."""
        if self.source is None or self.source.is_closing():
            return
        if self.blocked or self.sink is None or self.buffered > _MAX_BUFFERED_BYTES:
            self.source.pause_reading()
        else:
            self.source.resume_reading()

    def flush(self, *, everything: bool = False) -> None:
        """Deliver what is due, or everything."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        while self.queue and self.sink is not None and (everything or self.queue[0][0] <= self.connection.loop.time()):
            item = self.queue.popleft()[1]
            self.buffered -= len(item) if isinstance(item, bytes) else 0
            self._deliver(item)
        if self.queue and self.sink is not None:
            self.timer = self.connection.loop.call_at(self.queue[0][0], self.flush)
        self.apply_backpressure()

    def _deliver(self, item: Item) -> None:
        if isinstance(item, bytes):
            if self.sink is not None and not self.sink.is_closing():
                self.sink.write(item)
        elif item is Signal.RESET:
            self.connection.reset()
        elif item is Signal.CLOSE:
            self.connection.close()
        elif item is Signal.END:
            self.finished = True
            if self.connection.upstream.finished and self.connection.downstream.finished:
                self.connection.close()
            elif self.sink is not None and not self.sink.is_closing() and self.sink.can_write_eof():
                self.sink.write_eof()


class Endpoint(asyncio.Protocol):
    """One socket of a connection: what it reads goes ``out``; while it cannot write, the other one is not read."""

    def __init__(self, connection: ProxiedConnection, out: Direction, into: Direction) -> None:
        self.connection, self.out, self.into = connection, out, into

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Attach the socket to both directions."""
        assert isinstance(transport, asyncio.Transport)
        self.out.source = self.into.sink = transport
        self.connection.socket_opened()

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self.out.receive(data)

    def eof_received(self) -> bool:
        """Pass it on; the other direction stays open."""
        self.out.receive(Signal.END)
        return self.out.source is None or self.out.source.get_extra_info("sslcontext") is None  # TLS has no half

    def connection_lost(self, error: Exception | None) -> None:
        """End both directions: a reset is passed on as a reset."""
        self.connection.socket_closed(broken=error is not None)

    def pause_writing(self) -> None:
        """Stop reading what cannot be written."""
        self.into.blocked = True
        self.into.apply_backpressure()

    def resume_writing(self) -> None:
        """Read again."""
        self.into.blocked = False
        self.into.apply_backpressure()


class ProxyCallbacks(Protocol):
    """Handles the beginning and the end of a connection: the proxy."""

    def connected(self, connection: ProxiedConnection) -> None:
        """Handle a client that has connected."""

    def disconnected(self, connection: ProxiedConnection) -> None:
        """Handle a connection whose sockets are both closed."""


class ProxiedConnection:
    """A client's connection, and the one made for it to the dependency."""

    def __init__(self, proxy: ProxyCallbacks, loop: asyncio.AbstractEventLoop) -> None:
        self.proxy, self.loop = proxy, loop
        self.upstream, self.downstream = Direction(self), Direction(self)
        self.client = Endpoint(self, self.upstream, self.downstream)
        self.server = Endpoint(self, self.downstream, self.upstream)
        self.sockets = 0
        self.closing = False

    def socket_opened(self) -> None:
        """Handle an open socket; nothing is read from the first before the second is open."""
        self.sockets += 1
        if self.downstream.source is None:
            self.upstream.apply_backpressure()
            self.proxy.connected(self)
        elif self.closing:
            self.reset()
        else:
            self.upstream.flush()

    def socket_closed(self, *, broken: bool) -> None:
        """Handle a closed socket: the other one is closed or reset with it."""
        self.sockets -= 1
        if broken:
            self.reset()
        else:
            self.close()
        if not self.sockets:
            self.proxy.disconnected(self)

    def apply(self, number: int, fault: Fault, rng: Random, on_hit: OnHit) -> None:
        """Place a fault on its direction, by the chance of its toxicity."""
        if rng.random() < fault.toxicity:
            self._direction(fault.stream).add(number, fault.begin(rng, on_hit))

    def undo(self, number: int, fault: Fault) -> None:
        """Remove a fault; a connection that lost bytes to it is closed."""
        if self._direction(fault.stream).remove(number) and fault.loses_bytes:
            self.close()

    def _direction(self, stream: Stream) -> Direction:
        return self.upstream if stream == "upstream" else self.downstream

    def close(self) -> None:
        """Close both sockets after what has been written."""
        self._end(reset=False)

    def reset(self) -> None:
        """Reset both sockets; what has been written may be lost."""
        self._end(reset=True)

    def _end(self, *, reset: bool) -> None:
        self.closing = True
        for direction in (self.upstream, self.downstream):
            direction.queue.clear()
            if direction.timer is not None:
                direction.timer.cancel()
            if direction.source is None:
                continue
            if reset:
                with suppress(OSError, AttributeError):  # it may be closed already; over TLS it has no socket then
                    direction.source.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                direction.source.abort()
            else:
                direction.source.close()
