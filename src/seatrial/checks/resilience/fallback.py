"""The answers of the declared fallback, computed in process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seatrial.checks.resilience.observation import Baseline
from seatrial.checks.serving.answers import key_ids, key_text
from seatrial.checks.serving.expected import Expected
from seatrial.errors import UsageError
from seatrial.io import frame_json
from seatrial.policy.failures import FailurePolicy
from seatrial.trial import Trial


def baseline_of(trial: Trial, dependencies: Sequence[str], expected: Expected, policy: FailurePolicy) -> Baseline:
    """Compute the answers with the declared fallback of each of several dependencies in place of its client.

    Raises:
        StageError: a stage raised.
        UsageError: the answers lack the field that flags them as degraded.
    """
    if any(trial.pipeline.dependencies[name].fallback is None for name in dependencies):
        return without_fallback(expected, policy)
    stages = trial.pipeline.stages
    frame = trial.through(
        stages[: stages.index(expected.stage) + 1],
        trial.reference.requests,
        sources=dict.fromkeys(dependencies, "fallback"),
    )
    if policy.degraded_field not in frame:
        raise UsageError(
            f"The fallback's answers have no field '{policy.degraded_field}'. They have: "
            f"{', '.join(map(str, frame.columns))}. "
            f"Set degraded_field in [dependencies.{dependencies[0]}] of service.toml."
        )
    frame = frame_json.projected(frame[[c for c in frame.columns if c in expected.frame or c == policy.degraded_field]])
    key = trial.pipeline.key
    answered = [key_text(k) for k in key_ids(frame, key)]
    frame = frame.set_axis(answered).reindex(list(expected.keys)).reset_index(drop=True)
    return Baseline(expected, frame, frame[policy.degraded_field].fillna(False).to_numpy(dtype=bool), policy)


def without_fallback(expected: Expected, policy: FailurePolicy) -> Baseline:
    """Return what is known where there are no degraded answers to compare with: each request may use the dependency."""
    return Baseline(expected, None, np.ones(len(expected.payloads), dtype=bool), policy)
