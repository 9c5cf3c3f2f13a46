"""An event loop whose timers are good to microseconds.

epoll rounds every time-out up to a whole millisecond, which alone would make each request up to 1 ms late.
The descriptor of an epoll is itself selectable, and select() counts in microseconds: so wait there, then ask.
"""

from __future__ import annotations

import asyncio
import gc
import select
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

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


T = TypeVar("T")


_PATIENCE_SECONDS = 30.0


class Background:
    """A running loop; ``stop`` leaves no thread and no descriptor."""

    def __init__(self, name: str) -> None:
        self.loop = new_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(_PATIENCE_SECONDS)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function on the loop's thread and wait for its result."""

        async def work() -> T:
            return function()

        return self.run(work())

    def stop(self) -> None:
        """Cancel what is left, stop, and join."""
        if self.loop.is_closed():
            return
        self.run(self._cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_PATIENCE_SECONDS)
        self.loop.close()

    async def _cancel(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # closed transports let go of their sockets one turn later
