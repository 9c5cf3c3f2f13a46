"""The common time budget of load and resilience, from their first case on: [stress] in service.toml."""

from __future__ import annotations

import math
import time

from seatrial.trial import Trial


def deadline(trial: Trial, own_seconds: float, *, share: float = 1.0) -> float:
    """Return the ``time.monotonic()`` moment at which a case must end.

    Args:
        trial: the trial, whose policy has the common budget.
        own_seconds: the case's own budget, counted from now.
        share: the part of the rest of the common budget that the case may use.
    """
    now = time.monotonic()
    return now + min(own_seconds, share * (budget_end(trial) - now))


def budget_end(trial: Trial) -> float:
    """Return the ``time.monotonic()`` moment at which the common budget ends; infinite where none is declared."""
    whole = trial.policy.stress.budget_seconds
    begin: float = trial.once("stress begins", time.monotonic)
    return begin + whole if whole is not None else math.inf
