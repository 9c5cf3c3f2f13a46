"""Context managers that end together, whichever thread entered them."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

T = TypeVar("T")


class Held:
    """Holds context managers until it is closed; one that is entered later, by a thread that was slow, ends at once.

    Example:
        >>> from contextlib import nullcontext
        >>> held = Held()
        >>> held.enter(nullcontext(1)), held.close()
        (1, None)
    """

    def __init__(self) -> None:
        self._stack, self._lock, self._closed = ExitStack(), threading.Lock(), False

    def enter(self, manager: AbstractContextManager[T]) -> T:
        """Enter a context manager, and return its value."""
        value = manager.__enter__()  # which may wait, or enter others
        with self._lock:
            self._stack.push(manager)
        if self._closed:
            self.close()
        return value

    def close(self) -> None:
        """Exit every context manager, the last one first."""
        self._closed = True
        with self._lock:
            left = self._stack.pop_all()
        left.close()
