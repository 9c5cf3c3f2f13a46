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

INSTEAD_OF = ("degraded-flag", "fallback-value")  # criteria of a dependency that has a fallback
MESSAGE = "are a success (2xx) without the recorded values, although no answer can be made without the dependency"


def applies(scenario: Scenario, observation: Observation) -> bool:
    """Return whether an error is the right answer: not where the dependency still answers in time."""
    return observation.baseline.policy.hard and not scenario.whole


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


def refused(scenario: Scenario, observation: Observation) -> np.ndarray:
    """Return which requests got an error where that is the right answer: they were evaluated, without a value."""
    right = applies(scenario, observation) & observation.uses & np.isfinite(observation.seconds)
    return np.asarray(right & (observation.run.status >= 400))
