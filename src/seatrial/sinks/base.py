"""The protocol of a sink: where events go as they come, and the verdict at the end."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar

from seatrial.events import Case, Event, Verdict


class Sink:
    """Where events go as they come, and the verdict at the end. Subclass and override what is needed."""

    def planned(self, cases: Sequence[Case]) -> None:
        """Hear, before the first event, what will be asked."""

    def event(self, event: Event) -> None:
        """Hear one event."""

    def progress(self, done: int, of: int, what: str) -> None:
        """Hear how far a long question is, and what comes next."""

    def verdict(self, verdict: Verdict) -> None:
        """Hear the sum of all events."""


LISTENERS: ContextVar[tuple[Sink, ...]] = ContextVar("seatrial_listeners", default=())
"""Sinks of whoever started a flow in this process; the flow tells them what it tells its own."""
