"""The model's signature against the frame it is fed, and its scores against the promoted version's on the same rows."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.contract.meaning import shifts
from seatrial.contract.signature import inputs_of, mismatches
from seatrial.errors import SeatrialError
from seatrial.events import Event, Finding, Measured, Severity, Unjudged
from seatrial.trial import Trial


def judge_signature(name: str, trial: Trial, place: str) -> Iterator[Event]:
    """Yield where the frame that the model's stage is fed is not as the signature says."""
    stage = next((s for s in trial.pipeline.stages if "model" in trial.pipeline.stage(s).needs), None)
    if stage is None or trial.model_path is None:
        return
    try:
        inputs = inputs_of(trial.model_path)
    except ValueError as error:
        yield Unjudged(name, place, f"the model's signature cannot be judged: {error}")
        return
    if inputs is None:
        return
    frame = trial.input_of(stage)
    for miss in mismatches(inputs, frame):
        yield Finding(
            name, stage, f"'{miss.column}' of the frame that '{stage}' is fed {miss.words}", column=miss.column,
            severity=Severity.ERROR if miss.sure else Severity.WARNING, cause=miss.cause,
            advice="Log the model with the signature of the frame it is served, or build the frame as it says.",
            evidence={"rows": len(frame)},
        )  # fmt: skip
    yield Measured(name, place, "signature columns", len(inputs), "columns")


def judge_meaning(name: str, trial: Trial, place: str) -> Iterator[Event]:
    """Yield the fields whose meaning moved from the promoted version's answers to this one's, in process."""
    if trial.champion is None:
        return
    last, key = trial.pipeline.stages[-1], trial.pipeline.key
    try:
        after = trial.chained(last)
        frame = trial.input_of(trial.pipeline.stages[0])
        for stage in trial.pipeline.stages:
            frame = trial.step(stage, model=trial.champion)(frame)
    except SeatrialError as error:
        words = f"The promoted version's model does not run on this path, so meanings were not compared: {error}"
        yield Finding(name, place, words, severity=Severity.WARNING, cause="not-comparable")
        return
    for shift in shifts(frame, after, key):
        yield Finding(
            name, place, f"'{shift.column}' {shift.words} Compared with the promoted version's model.",
            column=shift.column, severity=Severity.ERROR if shift.sure else Severity.WARNING, cause=shift.cause,
            advice="Keep the meaning, or give the new one a field of its own: no schema shows such a change.",
            evidence={"rows": len(after)},
        )  # fmt: skip
    yield Measured(name, place, "answers compared in meaning", len(after), "rows")
