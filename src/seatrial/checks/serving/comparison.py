"""The three sides of a golden answer: what training saw, what the path gives in process, what the service says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seatrial.checks.serving.requests import Answers, ask_service, request_keys, takes_batches
from seatrial.checks.serving.service import Live
from seatrial.errors import StageError
from seatrial.io import frame_json
from seatrial.parity.compare import compare
from seatrial.parity.result import Parity
from seatrial.trial import Trial

DOUBTFUL = 50  # requests that differ in a batch and are then asked alone
WAITS_SECONDS = (0.5, 1.5, 3.0)  # before a degraded answer is asked for again: a breaker rests for a while


@dataclass(frozen=True)
class Sides:
    """What the live answers are compared with, both as JSON carries them.

    Attributes:
        stage: whose frame the service answers.
        requests: what is sent, one row a request.
        keys: the key of each request.
        recorded: what training saw.
        in_process: what the path gives here and now; None where it broke.
    """

    trial: Trial
    stage: str
    requests: pd.DataFrame
    keys: Sequence[Any]
    recorded: pd.DataFrame
    in_process: pd.DataFrame | None

    @property
    def whole(self) -> bool:
        """Whether the service answers for the whole path."""
        return self.stage == self.trial.pipeline.stages[-1]

    def compare(self, expected: pd.DataFrame, actual: pd.DataFrame) -> Parity:
        """Compare within the tolerances of the stage."""
        key = self.trial.pipeline.key
        known = set(expected.columns) - {key}
        tolerances, floors = self.trial.policy.of(self.stage).tolerances, self.trial.reference.noise.get(self.stage, {})
        return compare(
            expected,
            actual,
            key=key,
            tolerances={c: t for c, t in tolerances.items() if c in known},
            floors={c: f for c, f in floors.items() if c in known},
        )


@dataclass(frozen=True)
class Observed:
    """One way of asking, and how its answers compare."""

    told: Answers
    answers: pd.DataFrame
    recorded: Parity
    in_process: Parity | None

    @property
    def wrong(self) -> list[str]:
        """The columns that differ from the record."""
        return [c.column for c in self.recorded.columns if not c.ok]


def sides_of(trial: Trial, service: Live) -> Sides:
    """Return what the service's answers are compared with."""
    stage = service.service.serves or trial.pipeline.stages[-1]
    whole = service.service.serves is None
    varying = set(trial.policy.golden.varying)
    requests = trial.reference.requests if whole else trial.reference.input_of(trial.pipeline.stage(stage).name)
    try:
        here: pd.DataFrame | None = trial.chained(stage) if whole else trial.isolated(stage)
    except StageError:
        here = None
    recorded = trial.reference.frame(stage)
    return Sides(
        trial,
        stage,
        requests,
        request_keys(requests, trial.pipeline.key, trial.reference.frame(trial.pipeline.stages[0])),
        frame_json.projected(recorded[[c for c in recorded.columns if c not in varying]]),
        None if here is None else frame_json.projected(here[[c for c in here.columns if c not in varying]]),
    )


def ask_both(sides: Sides, service: Live) -> list[Observed]:
    """Ask in batches where the service takes them, and one by one: all, or a sample and what the batches got wrong."""
    golden = sides.trial.policy.golden
    rows = list(range(len(sides.requests)))
    if not takes_batches(service.target):
        return [ask_some(sides, service, rows)]
    batched = ask_some(sides, service, rows, golden.batch_size)
    if service.running.ended() is not None or batched.told.away:
        return [batched]
    drawn = np.random.default_rng(sides.trial.seed).permutation(len(rows))[: golden.single_requests].tolist()
    worst = {k for c in batched.recorded.columns if not c.ok for k in c.worst_keys}
    unanswered = {str(k) for trouble in batched.told.troubles.values() for k in trouble.keys[:DOUBTFUL]}
    doubtful = [n for n in rows if str(sides.keys[n]) in worst | unanswered][:DOUBTFUL]
    return [batched, ask_some(sides, service, sorted({*drawn, *doubtful}))]


def ask_some(sides: Sides, service: Live, rows: list[int], batch: int = 1) -> Observed:
    """Ask the requests at these positions, ``batch`` at once, and compare what comes back."""
    trial, key = sides.trial, sides.trial.pipeline.key
    told = ask_service(service.target, sides.requests.iloc[rows], [sides.keys[n] for n in rows], key, batch)
    _ask_again(sides, service, told, batch)
    answers = frame_json.read(_renamed(told.answers, sides), sides.recorded)
    if not len(answers):
        answers = sides.recorded.iloc[:0]
    answers = answers[[c for c in answers.columns if c not in trial.policy.golden.varying]]
    lost = {k for trouble in told.troubles.values() for k in map(str, trouble.keys)}
    asked = {str(sides.keys[n]) for n in rows} - lost - {str(answer[key]) for answer in told.degraded}
    if told.unsent:
        asked &= {str(k) for k in answers[key]}

    def part(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame[key].astype(str).isin(asked)] if len(asked) < len(frame) else frame

    here = None if sides.in_process is None else sides.compare(part(sides.in_process), answers)
    return Observed(told, answers, sides.compare(part(sides.recorded), answers), here)


def _ask_again(sides: Sides, service: Live, told: Answers, batch: int) -> None:
    """Ask again for answers that say they are degraded, where training's do not; what stays so is set apart.

    A dependency that was slow for a moment is no fault of the version, and a degraded answer is not to be compared.
    """
    key, field = sides.trial.pipeline.key, sides.trial.policy.golden.degraded_field
    meant = sides.recorded[sides.recorded[field].eq(True)][key] if field in sides.recorded.columns else ()
    expected = {str(k) for k in meant}
    row_of = {str(k): n for n, k in enumerate(sides.keys)}

    def split(answers: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        bad = [a for a in answers if a.get(field) is True and str(a.get(key)) in row_of.keys() - expected]
        marked = {id(a) for a in bad}
        return [a for a in answers if id(a) not in marked], bad

    told.answers, told.degraded = split(told.answers)
    told.again = len(told.degraded)
    for wait in WAITS_SECONDS:
        if not told.degraded:
            return
        time.sleep(wait)
        rows = [row_of[str(answer[key])] for answer in told.degraded]
        keys = [sides.keys[n] for n in rows]
        more = ask_service(service.target, sides.requests.iloc[rows], keys, key, batch)
        whole, still = split(more.answers)
        answered = {str(answer[key]) for answer in (*whole, *still)}
        told.answers += whole
        told.degraded = [*still, *(a for a in told.degraded if str(a[key]) not in answered)]


def _renamed(answers: list[dict[str, Any]], sides: Sides) -> list[dict[str, Any]]:
    """Name the outputs of a model's server, which carry names of its own, as the stage does, by position."""
    key = sides.trial.pipeline.key
    wanted = [c for c in sides.recorded.columns if c != key]
    if not answers:
        return answers
    told = [c for c in answers[0] if c != key]
    if set(told) & set(wanted) or len(told) != len(wanted):
        return answers
    names = dict(zip(told, wanted, strict=True))
    return [{names.get(c, c): v for c, v in answer.items()} for answer in answers]
