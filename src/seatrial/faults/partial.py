"""A fault that hits a share of the requests to a dependency, and leaves the others alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from seatrial.errors import UsageError
from seatrial.faults.base import Fault, Item, OnHit, Signal, Stream, TimedItem, Transform

PAUSE_SECONDS = 0.02  # bytes that come sooner after the last ones belong to the same request


@dataclass(frozen=True, kw_only=True)
class Partial(Fault):
    """Place a fault on ``share`` of the requests to a dependency; each is counted once.

    A toxicity below 1 hits a share of the connections: of a pool of connections, those that were hit are closed soon,
    and all that are left are whole. Here each request draws anew, on whichever connection it travels. A request begins
    with bytes towards the dependency after a pause of 20 ms on its connection. One that loses bytes
    (``fault.loses_bytes``) takes its connection with it.

    Attributes:
        fault: what a request that is hit meets on its way to the dependency.
        share: of the requests, above 0 and below 1.

    Raises:
        UsageError: the share is out of its range, or the fault is none of a connection's bytes.

    Example:
        >>> from seatrial.faults.network import ResetPeer
        >>> Partial(fault=ResetPeer(), share=0.5).stream
        'upstream'
    """

    stream: Stream = "upstream"
    fault: Fault
    share: float

    def __post_init__(self) -> None:
        if not isinstance(self.fault, Fault):
            raise UsageError(f"Partial(fault={self.fault!r}) is no fault of a connection.")
        super().__post_init__()
        if not 0 < self.share < 1:
            raise UsageError(f"Partial(share={self.share!r}) is out of range. Allowed: a share above 0 and below 1.")

    @property
    def loses_bytes(self) -> bool:
        """Whether a connection that was hit is closed when the fault is undone."""
        return self.fault.loses_bytes

    def begin(self, rng: Random, on_hit: OnHit) -> Transform:
        """Return the transform."""
        hit: Transform | None = None
        last = float("-inf")

        def transform(due: float, item: Item) -> Iterator[TimedItem]:
            nonlocal hit, last
            if item is Signal.START:
                return
            stays = hit is not None and self.fault.loses_bytes
            if isinstance(item, bytes) and due > last + PAUSE_SECONDS and not stays:
                hit = self.fault.begin(rng, lambda: None) if rng.random() < self.share else None
                if hit is not None:
                    on_hit()
                    yield from hit(due, Signal.START)
            last = max(last, due)
            if hit is None:
                yield due, item
            else:
                yield from hit(due, item)

        return transform
