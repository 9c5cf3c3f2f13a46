"""The faults of a TCP connection, with Toxiproxy's names, attributes and units.

A fault is data. ``begin`` gives its stage for one direction of one connection: a function from what arrives
(``due`` seconds on the loop's clock, item) to what is passed on, and when. A stage never waits, holds no bytes
and knows no socket, so that stages chain, and a fault can be undone at any moment without losing data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from enum import Enum
from random import Random
from typing import ClassVar, Literal

from seatrial.errors import UsageError

Stream = Literal["upstream", "downstream"]


class Signal(Enum):
    """What travels besides bytes: the fault begins; the sender is done; close after this; reset now."""

    START = "start"
    END = "end"
    CLOSE = "close"
    RESET = "reset"


Item = bytes | Signal
Event = tuple[float, Item]
Stage = Callable[[float, Item], Iterator[Event]]
Hit = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``stream``: upstream is towards the dependency. ``toxicity``: the share of connections that have it."""

    stream: Stream = "downstream"
    toxicity: float = 1.0
    severs: ClassVar[bool] = False  # bytes are lost, so its connections are closed when it is undone

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "stream":
                valid = value in ("upstream", "downstream")
            else:
                valid = isinstance(value, (int, float)) and value >= 0
            if not valid or (each.name == "toxicity" and value > 1):
                raise UsageError(f"{type(self).__name__}({each.name}={value!r}) is out of range.")

    def begin(self, rng: Random, hit: Hit) -> Stage:
        """Return the stage for one direction of one connection; ``hit`` is called whenever it did something."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Down(Fault):
    """Nobody is there: live connections are cut and new ones refused.

    A refused attempt is answered by the kernel and cannot be counted. So that the fault is seen to fire, at
    least one live connection is cut, or the first attempt accepted and reset, before the port is closed.
    """

    def begin(self, rng: Random, hit: Hit) -> Stage:  # noqa: ARG002 (it acts on the listener, not on bytes)
        """Pass everything: what is down is the listener."""

        def stage(due: float, item: Item) -> Iterator[Event]:
            yield due, item

        return stage


@dataclass(frozen=True, kw_only=True)
class Timeout(Fault):
    """Swallow all data; close ``timeout`` ms after the last of it, or never (0) until the fault is undone."""

    timeout: float = 0
    severs: ClassVar[bool] = True

    def begin(self, rng: Random, hit: Hit) -> Stage:  # noqa: ARG002 (nothing is left to chance)
        """Return the stage."""

        def stage(due: float, item: Item) -> Iterator[Event]:
            if isinstance(item, bytes):
                hit()
            if item is Signal.END:
                yield due, Signal.CLOSE
            elif self.timeout:
                yield due + self.timeout / 1e3, Signal.CLOSE

        return stage


@dataclass(frozen=True, kw_only=True)
class Latency(Fault):
    """Delay all data by ``latency`` ± ``jitter`` ms, in order."""

    latency: float = 0
    jitter: float = 0

    def begin(self, rng: Random, hit: Hit) -> Stage:
        """Return the stage."""

        def stage(due: float, item: Item) -> Iterator[Event]:
            if isinstance(item, bytes):
                hit()
                due += max(0.0, self.latency + rng.uniform(-self.jitter, self.jitter)) / 1e3
            if item is not Signal.START:
                yield due, item

        return stage


@dataclass(frozen=True, kw_only=True)
class Bandwidth(Fault):
    """Let ``rate`` kB/s through, in pieces of at most 100 ms."""

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rate:
            raise UsageError("Bandwidth(rate=0) lets nothing through; say Timeout() for that.")

    def begin(self, rng: Random, hit: Hit) -> Stage:  # noqa: ARG002 (nothing is left to chance)
        """Return the stage."""
        free, size = 0.0, max(1, int(self.rate * 100))

        def stage(due: float, item: Item) -> Iterator[Event]:
            nonlocal free
            if isinstance(item, bytes):
                hit()
                for at in range(0, len(item), size):
                    piece = item[at : at + size]
                    free = max(free, due) + len(piece) / (self.rate * 1e3)
                    yield free, piece
            elif item is not Signal.START:
                yield due, item

        return stage


@dataclass(frozen=True, kw_only=True)
class SlowClose(Fault):
    """Keep the connection open for ``delay`` ms after the sender has closed it."""

    delay: float = 0

    def begin(self, rng: Random, hit: Hit) -> Stage:  # noqa: ARG002 (nothing is left to chance)
        """Return the stage."""

        def stage(due: float, item: Item) -> Iterator[Event]:
            if item is Signal.END:
                hit()
                due += self.delay / 1e3
            if item is not Signal.START:
                yield due, item

        return stage


@dataclass(frozen=True, kw_only=True)
class ResetPeer(Fault):
    """Reset the connection (TCP RST) ``timeout`` ms after the first data, which is swallowed."""

    timeout: float = 0

    def begin(self, rng: Random, hit: Hit) -> Stage:  # noqa: ARG002 (nothing is left to chance)
        """Return the stage."""
        fired = False

        def stage(due: float, item: Item) -> Iterator[Event]:
            nonlocal fired
            if item is not Signal.START and not fired:
                fired = True
                hit()
                yield due + self.timeout / 1e3, Signal.RESET

        return stage


@dataclass(frozen=True, kw_only=True)
class Slicer(Fault):
    """Cut data into pieces of ``average_size`` ± ``size_variation`` bytes, ``delay`` microseconds apart."""

    average_size: int
    size_variation: int = 0
    delay: float = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.size_variation < self.average_size:
            raise UsageError(f"A slice of {self.average_size} bytes cannot vary by {self.size_variation}.")

    def begin(self, rng: Random, hit: Hit) -> Stage:
        """Return the stage."""

        def stage(due: float, item: Item) -> Iterator[Event]:
            if isinstance(item, bytes):
                hit()
                at = 0
                while at < len(item):
                    size = self.average_size + rng.randint(-self.size_variation, self.size_variation)
                    yield due, item[at : at + size]
                    at, due = at + size, due + self.delay / 1e6
            elif item is not Signal.START:
                yield due, item

        return stage


@dataclass(frozen=True, kw_only=True)
class LimitData(Fault):
    """Close the connection after ``bytes`` bytes; what goes beyond is cut off."""

    bytes: int = 0

    def begin(self, rng: Random, hit: Hit) -> Stage:  # noqa: ARG002 (nothing is left to chance)
        """Return the stage."""
        left = self.bytes

        def stage(due: float, item: Item) -> Iterator[Event]:
            nonlocal left
            if isinstance(item, Signal):
                if item is not Signal.START and left >= 0:
                    yield due, item
            elif left >= 0:
                if item[:left]:
                    yield due, item[:left]
                left -= len(item)
                if left <= 0:
                    left = -1
                    hit()
                    yield due, Signal.CLOSE

        return stage


TOXICS: dict[str, type[Fault]] = {
    "down": Down,
    "timeout": Timeout,
    "latency": Latency,
    "bandwidth": Bandwidth,
    "slow_close": SlowClose,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "limit_data": LimitData,
}


def chance(seed: int, fault: int, connection: int) -> Random:
    """Return the dice of one fault on one connection: the same for the same seed and order of connections."""
    return Random(f"{seed}/{fault}/{connection}")  # noqa: S311 (repeatable, not secret)
