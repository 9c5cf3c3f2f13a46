"""The faults of a TCP connection, with Toxiproxy's names, attributes and units where it has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from seatrial.errors import UsageError
from seatrial.faults.base import Fault, Item, OnHit, Signal, TimedItem, Transform


@dataclass(frozen=True, kw_only=True)
class Down(Fault):
    """The dependency is gone: live connections are closed and new ones refused.

    The kernel refuses an attempt, so it cannot be counted. For the fault to be seen, at least one live connection is
    closed, or the first attempt accepted and reset, before the port is closed.

    Example:
        >>> with proxy.fault(Down()) as hits:
        ...     response = client.get("/score")
    """

    def begin(self, rng: Random, on_hit: OnHit) -> Transform:  # noqa: ARG002 (it acts on the listener, not on bytes)
        """Return a transform that passes everything: the listener is down."""

        def transform(due: float, item: Item) -> Iterator[TimedItem]:
            yield due, item

        return transform


@dataclass(frozen=True, kw_only=True)
class Timeout(Fault):
    """Drop all data; close ``timeout`` ms after the last of it, or (0) only when the fault is undone."""

    timeout: float = 0
    severs: ClassVar[bool] = True

    def begin(self, rng: Random, on_hit: OnHit) -> Transform:  # noqa: ARG002 (nothing is random)
        """Return the transform."""

        def transform(due: float, item: Item) -> Iterator[TimedItem]:
            if isinstance(item, bytes):
                on_hit()
            if item is Signal.END:
                yield due, Signal.CLOSE
            elif self.timeout:
                yield due + self.timeout / 1e3, Signal.CLOSE

        return transform


@dataclass(frozen=True, kw_only=True)
class Latency(Fault):
    """Delay all data by ``latency`` ± ``jitter`` ms, in order."""

    latency: float = 0
    jitter: float = 0

    def begin(self, rng: Random, on_hit: OnHit) -> Transform:
        """Return the transform."""

        def transform(due: float, item: Item) -> Iterator[TimedItem]:
            if isinstance(item, bytes):
                on_hit()
                due += max(0.0, self.latency + rng.uniform(-self.jitter, self.jitter)) / 1e3
            if item is not Signal.START:
                yield due, item

        return transform


@dataclass(frozen=True, kw_only=True)
class Bandwidth(Fault):
    """Pass ``rate`` kB/s, in pieces of at most 100 ms."""

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rate:
            raise UsageError("Bandwidth(rate=0) passes nothing. Use Timeout() for that, or a rate above 0 kB/s.")

    def begin(self, rng: Random, on_hit: OnHit) -> Transform:  # noqa: ARG002 (nothing is random)
        """Return the transform."""
        free, size = 0.0, max(1, int(self.rate * 100))

        def transform(due: float, item: Item) -> Iterator[TimedItem]:
            nonlocal free
            if isinstance(item, bytes):
                on_hit()
                for at in range(0, len(item), size):
                    piece = item[at : at + size]
                    free = max(free, due) + len(piece) / (self.rate * 1e3)
                    yield free, piece
            elif item is not Signal.START:
                yield due, item

        return transform


@dataclass(frozen=True, kw_only=True)
class SlowClose(Fault):
    """Hold the connection open for ``delay`` ms after the sender has closed it."""

    delay: float = 0

    def begin(self, rng: Random, on_hit: OnHit) -> Transform:  # noqa: ARG002 (nothing is random)
        """Return the transform."""

        def transform(due: float, item: Item) -> Iterator[TimedItem]:
            if item is Signal.END:
                on_hit()
                due += self.delay / 1e3
            if item is not Signal.START:
                yield due, item

        return transform


@dataclass(frozen=True, kw_only=True)
class ResetPeer(Fault):
    """Reset the connection (TCP RST) ``timeout`` ms after the first data, which is dropped."""

    timeout: float = 0

    def begin(self, rng: Random, on_hit: OnHit) -> Transform:  # noqa: ARG002 (nothing is random)
        """Return the transform."""
        fired = False

        def transform(due: float, item: Item) -> Iterator[TimedItem]:
            nonlocal fired
            if item is not Signal.START and not fired:
                fired = True
                on_hit()
                yield due + self.timeout / 1e3, Signal.RESET

        return transform


@dataclass(frozen=True, kw_only=True)
class Slicer(Fault):
    """Cut data into pieces of ``average_size`` ± ``size_variation`` bytes, ``delay`` microseconds apart."""

    average_size: int
    size_variation: int = 0
    delay: float = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.size_variation < self.average_size:
            raise UsageError(
                f"A piece of {self.average_size:,} bytes cannot vary by {self.size_variation:,}. "
                f"Set size_variation below average_size."
            )

    def begin(self, rng: Random, on_hit: OnHit) -> Transform:
        """Return the transform."""

        def transform(due: float, item: Item) -> Iterator[TimedItem]:
            if isinstance(item, bytes):
                on_hit()
                at = 0
                while at < len(item):
                    size = self.average_size + rng.randint(-self.size_variation, self.size_variation)
                    yield due, item[at : at + size]
                    at, due = at + size, due + self.delay / 1e6
            elif item is not Signal.START:
                yield due, item

        return transform


@dataclass(frozen=True, kw_only=True)
class Drip(Fault):
    """Cut what comes at once into ``pieces`` of the same size, spread over ``spread`` ms however long it is.

    Raises:
        UsageError: fewer than one piece.
    """

    spread: float
    pieces: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pieces < 1:
            raise UsageError(f"Drip(pieces={self.pieces}) passes nothing. Use Timeout() for that, or at least 1 piece.")

    def begin(self, rng: Random, on_hit: OnHit) -> Transform:  # noqa: ARG002 (nothing is random)
        """Return the transform."""

        def transform(due: float, item: Item) -> Iterator[TimedItem]:
            if isinstance(item, bytes):
                on_hit()
                size = -(-len(item) // self.pieces)
                for number, at in enumerate(range(0, len(item), size), 1):
                    yield due + self.spread / 1e3 * number / self.pieces, item[at : at + size]
            elif item is not Signal.START:
                yield due, item

        return transform


@dataclass(frozen=True, kw_only=True)
class LimitData(Fault):
    """Close the connection after ``bytes`` bytes; the rest is dropped."""

    bytes: int = 0

    def begin(self, rng: Random, on_hit: OnHit) -> Transform:  # noqa: ARG002 (nothing is random)
        """Return the transform."""
        left = self.bytes

        def transform(due: float, item: Item) -> Iterator[TimedItem]:
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
                    on_hit()
                    yield due, Signal.CLOSE

        return transform
