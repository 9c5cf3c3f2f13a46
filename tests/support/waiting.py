"""Wait for a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(
    ready: Callable[[], Any], why: str | Callable[[], str] = "", *, seconds: float = 60.0, every: float = 0.01
) -> Any:
    """Return the first true answer of ``ready``; AssertionError, with ``why``, where there is none in ``seconds``."""
    end = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < end, f"not within {seconds:g} s. {why() if callable(why) else why}"
        time.sleep(every)
    return found
