"""Fresh processes that replay the stages: started once a trial, in parallel; a case waits for the one it needs."""

from __future__ import annotations

import threading
from contextlib import suppress

from seatrial.checks.invariants.worker import FreshProcess, replay
from seatrial.trial import Trial

# Fresh processes, each with a PYTHONHASHSEED of its own: a set of two strings keeps its order in half of them. Only the
# first loads the model, which takes most of the time; the others replay the stages that do without.
HASH_SEEDS = 3


def start_all(trial: Trial) -> None:
    """Start all fresh processes of the trial, once."""

    def start() -> None:
        for number in range(HASH_SEEDS):
            threading.Thread(target=_quietly, args=(trial, number), daemon=True).start()

    if trial.pipeline.source is not None:
        trial.once("fresh processes started", start)


def replay_fresh(trial: Trial, number: int) -> tuple[int, FreshProcess]:
    """Return the hash seed of fresh process ``number`` and its answers; it is started once a trial."""
    source = trial.pipeline.source
    assert source is not None
    path = None if number else trial.model_path
    stages = [s for s in trial.pipeline.stages if path is not None or not needs_model(trial, s)]
    hash_seed = 1 + (trial.seed * HASH_SEEDS + number) % (2**32 - 1)  # 0 would switch the randomisation off
    return hash_seed, trial.once(
        ("fresh process", hash_seed),
        lambda: replay(source, trial.reference, stages, model_path=path, hash_seed=hash_seed),
    )


def needs_model(trial: Trial, stage: str) -> bool:
    """Whether the stage takes the model."""
    return "model" in trial.pipeline.stage(stage).needs


def why_not_run(trial: Trial, stage: str) -> str:
    """Return why no fresh process can replay the stage, or the empty string."""
    if trial.pipeline.source is None:
        return (
            "The stages were not replayed in a fresh process, because the pipeline was not loaded from a file by name. "
            "Run it from a project to include that."
        )
    if needs_model(trial, stage) and trial.model_path is None:
        return (
            f"Stage '{stage}' was not replayed in a fresh process, because it needs the model, and the model was given "
            "as an object. Give its path to include that."
        )
    return ""


def _quietly(trial: Trial, number: int) -> None:
    with suppress(Exception):  # the case that waits for the answer raises it
        replay_fresh(trial, number)
