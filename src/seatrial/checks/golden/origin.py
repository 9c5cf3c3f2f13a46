"""Where a difference that only the end-to-end replay shows was made: by a flaky stage, or by one that hands it over."""

from __future__ import annotations

from typing import Any

import pandas as pd

from seatrial.checks.golden.hand_off import hand_off_differences
from seatrial.errors import StageError
from seatrial.parity.noisy import compare_noisy
from seatrial.reference.layout.pieces import Replay
from seatrial.trial import Trial


def origin_of(trial: Trial, stage: str) -> str | None:
    """Return the earliest stage up to ``stage`` whose stage replay differs, or whose end-to-end replay already does."""
    stages = trial.pipeline.stages
    until = stages[: stages.index(stage) + 1]
    alone = (s for s in until if not _matches_alone(trial, s))
    chained = (s for s in until[:-1] if not trial.parity(s, "chained").ok)
    return min((s for s in (next(alone, None), next(chained, None)) if s), key=stages.index, default=None)


def earliest(trial: Trial, stage: str) -> str:
    """Return the stage from which a failure of ``stage`` follows: the first that differs up to it, or itself."""
    try:
        return origin_of(trial, stage) or stage
    except StageError as error:
        return error.stage


def repeats(trial: Trial, stage: str) -> bool:
    """Whether a stage answers the same when it runs again, on its recorded input and at the end of the path.

    A dear stage, which declares how often it may be called, is not called for it.
    """
    until = trial.pipeline.stages[: trial.pipeline.stages.index(stage) + 1]
    if any(trial.pipeline.stage(s).calls is not None for s in until):
        return True

    def work() -> bool:
        for stages, first in ((until, _chained(trial, stage)), ((stage,), _isolated(trial, stage))):
            try:
                again: pd.DataFrame | None = trial.through(stages, trial.reference.input_of(stages[0]))
            except StageError:
                again = None
            if (first is None) != (again is None):
                return False
            if first is not None and again is not None and not _same(trial, stage, first, again):
                return False
        return True

    return trial.once(("repeats", stage), work)


def made_by(trial: Trial, before: str) -> str | None:
    """Return the stage that made a difference in the frame that ``before`` hands over, where one did by itself.

    Storage keeps orders, types and categories: a stage whose stage replay shows the same difference from its recorded
    frame made it, and those after it passed it on. An index is not kept; of it the reference says whether it was
    0…n-1 when it was captured.
    """
    handed = set(differences_of(trial, before, "chained"))
    stages = trial.pipeline.stages
    for stage in reversed(stages[: stages.index(before) + 1]):
        if handed & set(differences_of(trial, stage, "isolated")):
            return stage
    return None


def differences_of(trial: Trial, stage: str, replay: Replay) -> list[str]:
    """Return how the frame that a stage returns in a replay differs in form from the one in the reference."""
    returned = _chained(trial, stage) if replay == "chained" else _isolated(trial, stage)
    if returned is None:
        return []
    indexed = trial.reference.manifest["stages"][stage].get("indexed", False)
    return hand_off_differences(trial.reference.frame(stage), returned, trial.parity(stage, replay), indexed=indexed)


def _same(trial: Trial, stage: str, first: pd.DataFrame, again: pd.DataFrame) -> bool:
    tolerances = {c: t for c, t in trial.policy.of(stage).tolerances.items() if c in first.columns}
    key: Any = trial.pipeline.key_of(stage)
    key = key[0] if len(key) == 1 else key
    return compare_noisy(first, again, key=key, noise=trial.noise(stage), tolerances=tolerances, distributions=False).ok


def _matches_alone(trial: Trial, stage: str) -> bool:
    try:
        return trial.parity(stage).ok
    except StageError:
        return False


def _chained(trial: Trial, stage: str) -> pd.DataFrame | None:
    try:
        return trial.chained(stage)
    except StageError:
        return None


def _isolated(trial: Trial, stage: str) -> pd.DataFrame | None:
    try:
        return trial.isolated(stage)
    except StageError:
        return None
