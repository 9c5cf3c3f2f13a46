"""Work that is done once, by whichever thread asks for it first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Once:
    """Results by name.

    Example:
        >>> once = Once()
        >>> once("sum", lambda: 1 + 1), once("sum", lambda: 1 / 0)
        (2, 2)
    """

    def __init__(self) -> None:
        self._done: dict[Any, Future[Any]] = {}
        self._lock = threading.Lock()

    def __call__(self, name: Any, work: Callable[[], T]) -> T:
        """Return the result of ``work``, which runs in the first call with a ``name`` only; errors are raised again."""
        with self._lock:
            future = self._done.get(name)
            mine = future is None
            if future is None:
                future = self._done[name] = Future()
        if mine:
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
                raise
        result: T = future.result()
        return result
