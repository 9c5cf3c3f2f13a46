"""The model's signature against the frame it is fed, and its scores against the promoted version's on the same rows."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from seatrial.checks.contract.semantics import ROWS, shifts
from seatrial.checks.contract.signature import inputs_of, mismatches
from seatrial.checks.serving.requests import request_keys
from seatrial.errors import SeatrialError
from seatrial.events import Event, Finding, Measurement, NotEvaluated, Severity
from seatrial.io import frame_json
from seatrial.reference.snapshot import Reference
from seatrial.trial import Trial

MOST = 20_000  # requests that are looked for in both references


def judge_signature(name: str, trial: Trial, place: str) -> Iterator[Event]:
    """Yield where the frame that the model's stage is fed is not as the signature says."""
    stage = next((s for s in trial.pipeline.stages if "model" in trial.pipeline.stage(s).needs), None)
    if stage is None or trial.model_path is None:
        return
    try:
        inputs = inputs_of(trial.model_path)
    except ValueError as error:
        yield NotEvaluated(name, place, f"the model's signature cannot be judged: {error}")
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
    yield Measurement(name, place, "signature columns", len(inputs), "columns")


def judge_meaning(name: str, trial: Trial, place: str) -> Iterator[Event]:
    """Yield the fields whose meaning moved from the promoted version's answers to this one's, in process.

    What that version was recorded to answer shows what code did too; its model on this path shows what models did.
    """
    if trial.champion_contract is None and trial.champion is None:
        return
    try:
        after, (before, whose) = trial.chained(trial.pipeline.stages[-1]), _before(trial)
        found = list(shifts(before, after, trial.pipeline.key)) if before is not None else []
    except (SeatrialError, ValueError) as error:
        words = f"Meanings were not compared with the promoted version's: {error}"
        yield Finding(name, place, words, severity=Severity.WARNING, cause="not-comparable")
        return
    rows = 0 if before is None else len(before)
    for shift in found:
        yield Finding(
            name, place, f"'{shift.column}' {shift.words} Compared with {whose}.",
            column=shift.column, severity=Severity.ERROR if shift.sure else Severity.WARNING, cause=shift.cause,
            advice="Keep the meaning, or give the new one a field of its own: no schema shows such a change.",
            evidence={"rows": rows},
        )  # fmt: skip
    yield Measurement(name, place, "answers compared in meaning", rows, "rows")


def _before(trial: Trial) -> tuple[pd.DataFrame | None, str]:
    """Return the promoted version's answers to requests of this trial, and in words what they are."""
    recorded = _recorded(trial)
    if recorded is not None:
        return recorded, "what the promoted version was recorded to answer"
    if trial.champion is None:
        return None, ""
    frame = trial.input_of(trial.pipeline.stages[0])
    for stage in trial.pipeline.stages:
        frame = trial.step(stage, model=trial.champion)(frame)
    return frame, "the promoted version's model on this path"


def _recorded(trial: Trial) -> pd.DataFrame | None:
    """Return the recorded answers to requests that both references hold, None where they are too few to tell."""
    if trial.champion_contract is None or trial.champion_contract.reference is None:
        return None
    theirs = Reference.load(trial.champion_contract.reference)
    key = trial.pipeline.key
    if theirs.key != key:
        return None
    both = _asked(theirs) & _asked(trial.reference)
    answers = theirs.frame(theirs.stages[-1])
    answers = answers[answers[key].astype(str).isin({name for name, _ in both})]
    return answers if len(answers) >= ROWS else None


def _asked(reference: Reference) -> set[tuple[str, str]]:
    requests, first = reference.requests.iloc[:MOST], reference.frame(reference.stages[0]).iloc[:MOST]
    keys = request_keys(requests, reference.key, first)
    return {(str(k), text) for k, text in zip(keys, frame_json.payloads(requests), strict=True) if k is not None}
