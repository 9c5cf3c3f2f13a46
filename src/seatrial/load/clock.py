"""An event loop whose timers are good to microseconds.

epoll rounds every time-out up to a whole millisecond, which alone would make each request up to 1 ms late.
The descriptor of an epoll is itself selectable, and select() counts in microseconds: so wait there, then ask.
"""

from __future__ import annotations

import asyncio
import gc
import select
import selectors
from collections.abc import Iterator
from contextlib import contextmanager

_SELECTABLE = 1024  # FD_SETSIZE: select() takes no higher descriptor


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a fresh event loop with fine timers; elsewhere than on Linux, the platform's usual loop."""
    if not hasattr(selectors, "EpollSelector"):
        return asyncio.new_event_loop()

    class Fine(selectors.EpollSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is not None and timeout > 0 and self.fileno() < _SELECTABLE:
                select.select([self.fileno()], [], [], timeout)
                timeout = 0
            return super().select(timeout)

    return asyncio.SelectorEventLoop(Fine())


@contextmanager
def without_collection() -> Iterator[None]:
    """Keep the garbage collector away: one full collection of a large process costs tens of milliseconds."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
