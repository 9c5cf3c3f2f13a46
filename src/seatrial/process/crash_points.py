"""Marked places in the code, at which a test can end the process: nothing may be lost or doubled there.

Nothing outside the process can reach them. A test adds a hook in the process it wants to end; see
``tests/support/crashes.py``.
"""

from __future__ import annotations

from collections.abc import Callable

POINTS = ("before-claim", "after-claim", "after-run", "between-verdict-and-outbox", "mid-effect", "after-effect")

hooks: list[Callable[[str], None]] = []


def point(name: str) -> None:
    """Call every hook with the name of this place, one of ``POINTS``. There are none outside of tests."""
    for hook in hooks:
        hook(name)
