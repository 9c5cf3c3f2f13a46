"""Validations whose claim is not of hash seeds replay in one fresh process, not in three that import everything again.

That there are three, with a seed each, and what they find is shown by ``tests/integration/checks/test_invariants.py``.
"""

from __future__ import annotations

import pytest

from seatrial.checks.invariants import calls, seeds
from seatrial.checks.invariants.variations import PROCESS


def replay_in_one(patch: pytest.MonkeyPatch) -> None:
    """Let the invariants check start and ask one fresh process of each trial."""
    patch.setattr(seeds, "HASH_SEEDS", 1)
    patch.setitem(calls._NEEDS, PROCESS.cause, (1, 1))  # type: ignore[misc]
