"""Processes that end themselves, by SIGKILL, at a marked place of the code, and for which pauses are shorter."""

from __future__ import annotations

import os
import signal
from pathlib import Path

AT, FASTER = "CHAOS_CRASH_AT", "CHAOS_FASTER"  # read by tests/support/crashing/sitecustomize.py alone
FOLDER = Path(__file__).parent / "crashing"  # on the PYTHONPATH of processes that are to end so


def arm(place: str) -> None:
    """End this process as soon as it reaches ``place``."""
    from seatrial.process import crash_points

    assert place in crash_points.POINTS, f"there is no place {place!r}"

    def end(reached: str) -> None:
        if reached == place:
            os.kill(os.getpid(), signal.SIGKILL)

    crash_points.hooks.append(end)


def shorten(times: float) -> None:
    """Wait so many times shorter before another attempt."""
    from seatrial.ledger import transactions

    transactions.PAUSE_SECONDS /= times
    transactions.LONGEST_PAUSE_SECONDS /= times
