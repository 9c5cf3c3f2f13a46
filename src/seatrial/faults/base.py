"""A fault of a TCP connection: data, and a transform for each connection that has it.

A fault is data. ``begin`` returns its transform for one direction of one connection: a function from an item that
arrives, and when, to the items that are passed on, and when. A transform never waits, holds no bytes and knows no
socket, so that transforms chain, and a fault can be undone at any moment without losing data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from enum import Enum
from random import Random
from typing import ClassVar, Literal

from seatrial.errors import UsageError

Stream = Literal["upstream", "downstream"]
"""The direction of a fault: ``upstream`` is towards the dependency."""


class Signal(Enum):
    """What travels besides bytes.

    Attributes:
        START: the fault begins on this connection.
        END: the sender has sent everything.
        CLOSE: the connection closes after what was passed on before.
        RESET: the connection is reset at once.
    """

    START = "start"
    END = "end"
    CLOSE = "close"
    RESET = "reset"


Item = bytes | Signal
"""What travels in one direction of a connection."""
TimedItem = tuple[float, Item]
"""An item, and when it is due, in seconds on the event loop's clock."""
Transform = Callable[[float, Item], Iterator[TimedItem]]
"""From an item that arrives, and when, to the items that are passed on, and when."""
OnHit = Callable[[], None]
"""Called whenever a fault did something."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The base of every fault of a connection. Numbers among its attributes are 0 or more.

    Attributes:
        stream: the direction that it acts on.
        toxicity: the share of connections that have it, from 0 to 1.
        severs: whether it loses bytes, so that its connections are closed when it is undone.

    Raises:
        UsageError: an attribute out of its range.

    Example:
        >>> @dataclass(frozen=True, kw_only=True)
        ... class Silence(Fault):
        ...     severs: ClassVar[bool] = True
        ...
        ...     def begin(self, rng, on_hit):
        ...         def transform(due, item):
        ...             on_hit()
        ...             return iter(())
        ...
        ...         return transform
    """

    stream: Stream = "downstream"
    toxicity: float = 1.0
    severs: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Fault):
                continue
            if each.name == "stream":
                if value not in ("upstream", "downstream"):
                    raise UsageError(
                        f"{type(self).__name__}(stream={value!r}) is no direction. Allowed: 'upstream', 'downstream'."
                    )
            elif not isinstance(value, (int, float)) or not value >= 0 or (each.name == "toxicity" and value > 1):
                allowed = "a share from 0 to 1" if each.name == "toxicity" else "a number of at least 0"
                raise UsageError(f"{type(self).__name__}({each.name}={value!r}) is out of range. Allowed: {allowed}.")

    @property
    def loses_bytes(self) -> bool:
        """Whether the connections that it hit are closed when it is undone."""
        return self.severs

    def begin(self, rng: Random, on_hit: OnHit) -> Transform:
        """Return the transform for one direction of one connection.

        Args:
            rng: seeded for this fault on this connection.
            on_hit: to call whenever the fault did something; a fault that never does makes its experiment
                inconclusive.
        """
        raise NotImplementedError


def seeded_random(seed: int, fault: int, connection: int) -> Random:
    """Return the random numbers of one fault on one connection: the same for the same seed and order of connections.

    Args:
        seed: of the proxy.
        fault: its number, counted from 1 in the order in which faults were placed.
        connection: its number, counted from 1 in the order in which clients connected.

    Example:
        >>> seeded_random(7, 1, 1).random() == seeded_random(7, 1, 1).random()
        True
    """
    return Random(f"{seed}/{fault}/{connection}")  # noqa: S311 (repeatable, not secret)
