"""Marked places at which a test lets a process die, to see that nothing is lost or doubled there."""

from __future__ import annotations

import os
import signal

AT = "SEATRIAL_CRASH_AT"
POINTS = ("before-claim", "after-claim", "after-run", "between-verdict-and-outbox", "mid-effect", "after-effect")


def point(name: str) -> None:
    """Kill this process where ``SEATRIAL_CRASH_AT`` names this place; otherwise do nothing."""
    if os.environ.get(AT) == name:
        os.kill(os.getpid(), signal.SIGKILL)
