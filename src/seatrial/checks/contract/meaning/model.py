"""Compare the model's signature with its input, and its answers with the champion's for the same requests."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from seatrial.checks.contract.meaning.semantics import ROWS, semantic_shifts
from seatrial.checks.contract.meaning.signature import inputs_of, signature_mismatches
from seatrial.checks.serving.requests import request_keys
from seatrial.errors import SeatrialError
from seatrial.events import Event, Finding, Measurement, NotEvaluated, Severity
from seatrial.io import frame_json
from seatrial.pipeline import row_index
from seatrial.reference.snapshot import Reference
from seatrial.trial import Trial

MAX_REQUESTS = 20_000  # of each reference, among which common requests are found


def compare_signature(name: str, trial: Trial, place: str) -> Iterator[Event]:
    """Yield each column in the input of the model's stage that is not as the signature declares."""
    stage = next((s for s in trial.pipeline.stages if "model" in trial.pipeline.stage(s).needs), None)
    if stage is None or trial.model_path is None:
        return
    try:
        inputs = inputs_of(trial.model_path)
    except ValueError as error:
        yield NotEvaluated(name, place, f"the signature of the model could not be compared: {error}")
        return
    if inputs is None:
        return
    frame = trial.input_of(stage)
    for mismatch in signature_mismatches(inputs, frame):
        yield Finding(
            name, stage, f"Column '{mismatch.column}' of the input of '{stage}' {mismatch.detail}",
            column=mismatch.column, severity=Severity.ERROR if mismatch.certain else Severity.WARNING,
            cause=mismatch.cause,
            advice="Log the model with the signature of this input, or build the input as the signature declares.",
            evidence={"rows": len(frame)},
        )  # fmt: skip
    yield Measurement(name, place, "signature columns", len(inputs), "columns")


def compare_meaning(name: str, trial: Trial, place: str) -> Iterator[Event]:
    """Yield the fields whose meaning differs between the champion's answers and this version's, in process.

    The champion's recorded answers also show changes of the code; its model on this path shows changes of the model.
    """
    if trial.champion_contract is None and not trial.has_champion:
        return
    try:
        last = trial.pipeline.stages[-1]
        key, after, (before, source) = trial.pipeline.key_of(last), trial.chained(last), _before(trial)
        found = [] if before is None else list(semantic_shifts(before, after, key))
        trained = semantic_shifts(before, trial.reference.frame(last), key) if before is not None and found else ()
        at_training = {(shift.column, shift.cause) for shift in trained}
    except (SeatrialError, ValueError) as error:
        yield Finding(
            name, place, f"The meaning of the answers was not compared with the champion's: {error}",
            severity=Severity.WARNING, cause="not-comparable",
            advice="Run the champion's model on this path by hand, or validate the champion again.",
        )  # fmt: skip
        return
    rows = 0 if before is None else len(before)
    for shift in found:
        skewed = (shift.column, shift.cause) not in at_training
        told = " In this version's own reference it has the former meaning." if skewed else ""
        yield Finding(
            name, place, f"Field '{shift.column}' {shift.detail} It was compared with {source}.{told}",
            column=shift.column, severity=Severity.ERROR if shift.certain else Severity.WARNING, cause=shift.cause,
            advice=f"The path changed it after training. Start where '{shift.column}' first differs from the reference."
            if skewed
            else "Restore the meaning, or give the new one a field of its own: no schema shows such a change.",
            evidence={"rows": rows}, downstream=skewed and shift.certain,
        )  # fmt: skip
    yield Measurement(name, place, "answers compared with the champion", rows, "rows")


def _before(trial: Trial) -> tuple[pd.DataFrame | None, str]:
    """Return the champion's answers to requests of this trial, and a noun phrase for them."""
    recorded = _recorded(trial)
    if recorded is not None:
        return recorded, "the champion's recorded answers"
    if not trial.has_champion:
        return None, ""
    stages = trial.pipeline.stages
    frame = trial.through(stages, trial.input_of(stages[0]), model="champion")
    return frame, "the answers of the champion's model on this path"


def _recorded(trial: Trial) -> pd.DataFrame | None:
    """Return the champion's recorded answers to requests in both references; None where there are fewer than ROWS."""
    if trial.champion_contract is None or trial.champion_contract.reference is None:
        return None
    champion = Reference.load(trial.champion_contract.reference)
    stage = trial.pipeline.stages[-1]
    if champion.key != trial.pipeline.key or champion.key_of(champion.stages[-1]) != trial.pipeline.key_of(stage):
        return None
    common = _requests(champion) & _requests(trial.reference)
    answers = champion.frame(champion.stages[-1])
    names = row_index(answers, trial.pipeline.key_of()).map(str)
    answers = answers[names.isin({name for name, _ in common})]
    return answers if len(answers) >= ROWS else None


def _requests(reference: Reference) -> set[tuple[str, str]]:
    requests, first = reference.requests.iloc[:MAX_REQUESTS], reference.frame(reference.stages[0]).iloc[:MAX_REQUESTS]
    keys = request_keys(requests, reference.key, first)
    return {(str(k), text) for k, text in zip(keys, frame_json.payloads(requests), strict=True) if k is not None}
