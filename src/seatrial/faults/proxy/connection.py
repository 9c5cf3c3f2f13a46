"""One connection through the proxy: a client's socket, the dependency's, and a flow each way."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress
from random import Random
from typing import Protocol

from seatrial.faults.network import Event, Fault, Hit, Item, Signal, Stage, Stream

_HELD_BYTES = 1 << 20  # beyond this the sender is not read from, as a full socket buffer would do
_RESET = struct.pack("ii", 1, 0)  # linger for no time: close() sends RST


class Flow:
    """One direction. Without faults bytes are written as they come; with faults when they are due, in order."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None
        self.stages: dict[int, Stage] = {}
        self.queue: deque[Event] = deque()
        self.held = self.passed = 0
        self.last = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.ended = self.finished = self.choked = False

    def feed(self, item: Item) -> None:
        """Take what the source sent."""
        if item is Signal.END:
            if self.ended:
                return
            self.ended = True
        if self.stages or self.queue or self.sink is None:
            self._push(self.link.loop.time(), item, list(self.stages.values()))
        else:
            self._act(item)

    def add(self, number: int, stage: Stage) -> None:
        """Put a fault at the end of the chain."""
        self.stages[number] = stage
        self._push(self.link.loop.time(), Signal.START, [stage])

    def remove(self, number: int) -> bool:
        """Take a fault away and let go of everything held back; say whether it was there."""
        if self.stages.pop(number, None) is None:
            return False
        self.last = 0.0
        self.run(everything=True)
        return True

    def _push(self, due: float, item: Item, stages: list[Stage]) -> None:
        events: list[Event] = [(due, item)]
        for stage in stages:
            events = [passed for event in events for passed in stage(*event)]
        for at, passed in events:
            if self.queue and self.queue[-1][1] is Signal.CLOSE:
                self.queue.pop()  # something still happens: the close moves behind it
                self.last = self.queue[-1][0] if self.queue else 0.0
            self.last = max(self.last, at)
            self.queue.append((self.last, passed))
            self.held += len(passed) if isinstance(passed, bytes) else 0
        self.run()

    def regulate(self) -> None:
        """Read from the source only what can be passed on."""
        if self.source is None or self.source.is_closing():
            return
        if self.choked or self.sink is None or self.held > _HELD_BYTES:
            self.source.pause_reading()
        else:
            self.source.resume_reading()

    def run(self, *, everything: bool = False) -> None:
        """Do what is due, or everything."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        while self.queue and self.sink is not None and (everything or self.queue[0][0] <= self.link.loop.time()):
            item = self.queue.popleft()[1]
            self.held -= len(item) if isinstance(item, bytes) else 0
            self._act(item)
        if self.queue and self.sink is not None:
            self.timer = self.link.loop.call_at(self.queue[0][0], self.run)
        self.regulate()

    def _act(self, item: Item) -> None:
        if isinstance(item, bytes):
            if self.sink is not None and not self.sink.is_closing():
                self.passed += len(item)
                self.sink.write(item)
        elif item is Signal.RESET:
            self.link.reset()
        elif item is Signal.CLOSE:
            self.link.close()
        elif item is Signal.END:
            self.finished = True
            if self.link.upstream.finished and self.link.downstream.finished:
                self.link.close()
            elif self.sink is not None and not self.sink.is_closing() and self.sink.can_write_eof():
                self.sink.write_eof()


class Side(asyncio.Protocol):
    """One socket of a link: what it reads feeds ``out``; when it cannot keep up, the other is not read."""

    def __init__(self, link: Link, out: Flow, into: Flow) -> None:
        self.link, self.out, self.into = link, out, into

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the socket to both flows."""
        assert isinstance(transport, asyncio.Transport)
        self.out.source = self.into.sink = transport
        self.link.joined()

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self.out.feed(data)

    def eof_received(self) -> bool:
        """Pass it on; the other direction stays open."""
        self.out.feed(Signal.END)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """End both directions: a reset is passed on as a reset."""
        self.link.left(broken=error is not None)

    def pause_writing(self) -> None:
        """Stop reading what cannot be written."""
        self.into.choked = True
        self.into.regulate()

    def resume_writing(self) -> None:
        """Read on."""
        self.into.choked = False
        self.into.regulate()


class Home(Protocol):
    """The proxy that a link belongs to."""

    def arrived(self, link: Link) -> None:
        """Handle a client that has just connected."""

    def gone(self, link: Link) -> None:
        """Handle a link both of whose sockets are closed."""


class Link:
    """A client's connection and the one made for it to the dependency."""

    def __init__(self, home: Home, loop: asyncio.AbstractEventLoop) -> None:
        self.home, self.loop = home, loop
        self.upstream, self.downstream = Flow(self), Flow(self)
        self.client = Side(self, self.upstream, self.downstream)
        self.server = Side(self, self.downstream, self.upstream)
        self.sockets = 0
        self.closing = False

    def joined(self) -> None:
        """Wait for the second socket before anything is read from the first."""
        self.sockets += 1
        if self.downstream.source is None:
            self.upstream.regulate()
            self.home.arrived(self)
        elif self.closing:
            self.reset()
        else:
            self.upstream.run()

    def left(self, *, broken: bool) -> None:
        """Count a socket out, and take the other with it."""
        self.sockets -= 1
        if broken:
            self.reset()
        else:
            self.close()
        if not self.sockets:
            self.home.gone(self)

    def apply(self, number: int, fault: Fault, rng: Random, hit: Hit) -> None:
        """Put a fault on its direction, if the dice say so."""
        if rng.random() < fault.toxicity:
            self._flow(fault.stream).add(number, fault.begin(rng, hit))

    def undo(self, number: int, fault: Fault) -> None:
        """Take the fault away; a connection that lost bytes to it is closed."""
        if self._flow(fault.stream).remove(number) and fault.severs:
            self.close()

    def _flow(self, stream: Stream) -> Flow:
        return self.upstream if stream == "upstream" else self.downstream

    def close(self) -> None:
        """Close both sockets after what has been written."""
        self._end(reset=False)

    def reset(self) -> None:
        """Reset both sockets; what has been written may be lost."""
        self._end(reset=True)

    def _end(self, *, reset: bool) -> None:
        self.closing = True
        for flow in (self.upstream, self.downstream):
            flow.queue.clear()
            if flow.timer is not None:
                flow.timer.cancel()
            if flow.source is None:
                continue
            if reset:
                with suppress(OSError):  # it may be closed already
                    flow.source.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                flow.source.abort()
            else:
                flow.source.close()
