"""An event loop on a thread of its own, for proxies that must go on while the test itself is busy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from seatrial.load.clock import new_loop

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
