"""What must hold of a dependency without which there is no answer: while it fails, a request gets an error.

``hard = true`` in ``[dependencies.NAME]`` says so, or ``dependency: Hard`` of a step in an InferenceGraph. A success
would carry an answer that was made without the dependency, and clients would take it for a good one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seatrial.checks.resilience.observation import Observation
from seatrial.checks.resilience.violation import Violation
from seatrial.faults.scenario import Scenario
from seatrial.loadgen.results import BROKEN

INSTEAD_OF = ("degraded-flag", "fallback-value")  # criteria of a dependency that has a fallback
MESSAGE = "are a success (2xx) without the recorded values, although no answer can be made without the dependency"


def applies(scenario: Scenario, observation: Observation) -> bool:
    """Return whether an error is the right answer: not where the dependency still answers in time."""
    return observation.baseline.policy.hard and not scenario.whole


def judged(scenario: Scenario, observation: Observation) -> np.ndarray:
    """Return which requests :func:`answered` judges alone: those that use the dependency and ended, with any result.

    An error is right: a status, or the end of the connection. A server that does not handle the error closes the
    connection after its 500 (uvicorn does), and a request that was on its way is lost with it. To wait without an end
    is no error, and a redirection neither.
    """
    run, ended = observation.run, np.isfinite(observation.seconds)
    status = (run.status >= 400) | ((run.status >= 200) & (run.status < 300))
    over = np.where(ended, status, run.outcome == BROKEN)
    return np.asarray(over & observation.uses & applies(scenario, observation))


def answered(observation: Observation) -> Iterator[Violation]:
    """Yield a violation where requests that use the dependency got a success, and not the recorded values.

    The recorded ones are right also under a fault: the dependency may have answered before it, or at a second try.
    """
    status, uses = observation.run.status, observation.uses
    success = np.isfinite(observation.seconds) & (status >= 200) & (status < 300)
    wrong = success & uses & ~observation.matches_reference
    if wrong.any():
        evidence = {"statuses": sorted({int(each) for each in status[wrong]})}
        yield Violation("hard-dependency", MESSAGE, int(wrong.sum()), int(uses.sum()), "answers", evidence=evidence)
