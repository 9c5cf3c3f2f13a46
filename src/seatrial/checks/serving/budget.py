"""One budget for load and resilience together, counted from the first of their questions: [stress] in service.toml."""

from __future__ import annotations

import math
import time

from seatrial.trial import Trial


def until(trial: Trial, own_seconds: float, *, share: float = 1.0) -> float:
    """Return the ``time.monotonic()`` moment at which a question must be through.

    Its own budget counts from now; of what is left of the one for all it may take ``share``.
    """
    now = time.monotonic()
    return now + min(own_seconds, share * (ending(trial) - now))


def ending(trial: Trial) -> float:
    """Return the moment at which the budget for all ends; infinite where none is declared."""
    whole = trial.policy.stress.budget_seconds
    begin: float = trial.once("stress begins", time.monotonic)
    return begin + whole if whole is not None else math.inf
