"""What load and resilience share: their time budget, from their first case on, and the machine they run on alone."""

from __future__ import annotations

import math
import time

from seatrial.errors import UsageError
from seatrial.formatting import seconds as readable
from seatrial.process import machine
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


def machine_refused(trial: Trial) -> str:
    """Have the machine for the rest of the trial, and return an empty text; else return why nothing is measured on it.

    The first call waits while another validation measures; what follows is told at once.
    """
    return trial.once("machine", lambda: _machine_refused(trial))


def _machine_refused(trial: Trial) -> str:
    limit = trial.policy.stress.wait_seconds

    def waits(since: float) -> None:
        waited = f", for {readable(since)} so far" if since >= 1 else ""
        trial.on_progress(0, 1, f"waiting for another load or resilience test of this machine{waited}")

    try:
        if trial.hold(machine.held(limit, waits)):
            return ""
    except UsageError as error:
        return str(error)
    return (
        f"Other load or resilience tests had this machine for {readable(limit)}; beside them nothing can be measured. "
        "Raise wait_seconds of [stress] in service.toml, or start fewer validations at once on a machine."
    )
