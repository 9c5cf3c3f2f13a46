"""Fresh processes that replay the stages, each started once a trial; a case waits for the one it needs.

Each has another hash seed: dependence on the order of a set or on the state of a process shows. A set of two strings
keeps its order in half of them. Only the first loads the model, which takes most of the time; the others replay the
stages that do without.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from seatrial.checks.invariants.asked import asked_of
from seatrial.checks.invariants.calls import calls_of
from seatrial.checks.invariants.seeds import hash_seeds
from seatrial.checks.invariants.variations import PROCESS
from seatrial.errors import EnvironmentUnavailable, IsolationError, SeatrialError, StageError
from seatrial.isolation.launch import Launch
from seatrial.isolation.replayer import RemoteReplayer
from seatrial.trial import Trial

LIMIT_SECONDS = 300.0  # for loading the pipeline, again for its model, and again for each stage


@dataclass(frozen=True)
class FreshProcess:
    """The answers of another process to the recorded inputs.

    Attributes:
        frames: the answer of each stage that returned one.
        errors: the error of each stage that raised.
        failed: the reason where the process gave no answer at all, else empty.
    """

    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    errors: Mapping[str, StageError] = field(default_factory=dict)
    failed: str = ""


def start(trial: Trial, numbers: Iterable[int]) -> None:
    """Start fresh processes of the trial by their numbers, each once; the first takes as long as the trial's worker."""

    def begin(number: int) -> None:
        threading.Thread(target=_quietly, args=(trial, number), daemon=True).start()

    for number in numbers if trial.pipeline.source is not None else ():
        trial.once(("fresh process started", number), partial(begin, number))


def replay_fresh(trial: Trial, number: int) -> tuple[int, FreshProcess]:
    """Return the hash seed of fresh process ``number`` and its answers; it is started once a trial."""
    hash_seed = hash_seeds(trial.seed)[number]
    path = None if number else trial.model_path
    return hash_seed, trial.once(("fresh process", hash_seed), lambda: replay(trial, path, hash_seed, number=number))


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


def replay(
    trial: Trial, model_path: str | None, hash_seed: int, seconds: float = LIMIT_SECONDS, number: int = 0
) -> FreshProcess:
    """Replay every stage on its recorded input, or the sample of it that is asked again, in a new process.

    Args:
        trial: of the pipeline.
        model_path: the path of the model; without one, stages that need it are left out.
        hash_seed: the ``PYTHONHASHSEED`` of the process; string hashes, and the order of sets, depend on it.
        seconds: for loading the pipeline, again for its model, and again for each stage.
        number: of the process; a dear stage is left out of those that its calls do not allow.
    """
    stages = [
        s for s in trial.pipeline.stages
        if (model_path is not None or not needs_model(trial, s)) and number < _allowed(trial, s)
    ]  # fmt: skip
    frames, errors = {}, {}
    try:
        with _another(trial, hash_seed, seconds) as replayer:
            replayer.pipeline()
            replayer.load(trial.reference, {} if model_path is None else {"version": Path(model_path)})
            for stage in stages:
                [[result]] = replayer.replay([stage], [asked_of(trial, stage).rows])
                if isinstance(result, StageError):
                    errors[stage] = result
                else:
                    frames[stage] = result
    except (IsolationError, EnvironmentUnavailable) as error:
        return FreshProcess(failed=f"a fresh process could not replay the stages. {error}")
    except SeatrialError as error:  # its text may be that of the project's own error, with values
        return FreshProcess(failed=f"a fresh process could not load the pipeline ({type(error).__name__})")
    return FreshProcess(frames, errors)


def _allowed(trial: Trial, stage: str) -> int:
    return calls_of(trial.pipeline.stage(stage), sampled=asked_of(trial, stage).sampled).of(PROCESS.cause)


def _another(trial: Trial, hash_seed: int, seconds: float) -> RemoteReplayer:
    if isinstance(trial.replayer, RemoteReplayer):
        return trial.replayer.another(hash_seed)
    assert trial.pipeline.source is not None
    return RemoteReplayer(
        Launch(), trial.pipeline.source, hash_seed=hash_seed, load_seconds=seconds, case_seconds=seconds
    )


def _quietly(trial: Trial, number: int) -> None:
    with suppress(Exception):  # the case that waits for the answer raises it
        replay_fresh(trial, number)
