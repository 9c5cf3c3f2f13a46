"""The protocol of a sink: it receives events as they come, and the verdict at the end."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar

from seatrial.events import Case, Event, Verdict


class Sink:
    """A receiver of events and of the verdict. Subclass it and override the methods you need.

    A sink that raises receives nothing more; the verdict carries a warning, and its outcome is unaffected.

    Example:
        >>> class Names(Sink):
        ...     def event(self, event):
        ...         print(type(event).__name__)
        >>> from seatrial.events import Evaluated
        >>> Names().event(Evaluated("golden", "features", compared=500))
        Evaluated
    """

    def planned(self, cases: Sequence[Case]) -> None:
        """Receive, before the first event, the cases that will run."""

    def event(self, event: Event) -> None:
        """Receive one event."""

    def progress(self, done: int, of: int, what: str) -> None:
        """Receive how far a long case is: the steps done, the steps in all, and the next step."""

    def verdict(self, verdict: Verdict) -> None:
        """Receive the verdict, after the last event."""


LISTENERS: ContextVar[tuple[Sink, ...]] = ContextVar("seatrial_listeners", default=())
"""The sinks of the code that started a flow in this process; the flow sends them what it sends its own."""
