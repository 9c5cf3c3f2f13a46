"""Compare three answers to each request: the recorded one, the path's in process, and the live service's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seatrial.checks.serving.requests import ServiceAnswers, request_keys, send_requests, takes_batches
from seatrial.checks.serving.service import LiveService
from seatrial.errors import StageError
from seatrial.io import frame_json
from seatrial.parity.agreement.choose import applicable
from seatrial.parity.noisy import compare_noisy
from seatrial.parity.reading import column
from seatrial.parity.result import Parity
from seatrial.trial import Trial

DOUBTFUL = 50  # requests that differ in a batch and are then sent alone
WAITS_SECONDS = (0.5, 1.5, 3.0)  # before a degraded request is sent again: a circuit breaker stays open for a while


@dataclass(frozen=True)
class ServiceComparison:
    """The expected answers of the live service, recorded and in process, in the types that JSON preserves.

    Attributes:
        trial: the trial that the service belongs to.
        stage: the stage whose frame the service answers with.
        requests: the requests, one a row.
        keys: the key of each request.
        recorded: the answers in the reference.
        in_process: the answers of the path in process; None where it failed.
    """

    trial: Trial
    stage: str
    requests: pd.DataFrame
    keys: Sequence[Any]
    recorded: pd.DataFrame
    in_process: pd.DataFrame | None

    @property
    def whole_path(self) -> bool:
        """Whether the service runs the whole path, not one stage of it."""
        return self.stage == self.trial.pipeline.stages[-1]

    def compare(self, expected: pd.DataFrame, actual: pd.DataFrame, *, recorded: bool = True) -> Parity:
        """Compare two frames within the tolerances of the stage; ``expected`` is recorded, or else another answer."""
        key = self.trial.pipeline.key
        known = set(expected.columns) - {key}
        tolerances = self.trial.policy.of(self.stage).tolerances
        return compare_noisy(
            expected,
            actual,
            key=key,
            noise=self.trial.noise(self.stage, "chained" if self.whole_path else "isolated"),
            recorded=recorded,
            tolerances=applicable(tolerances, known, lambda c: column(expected[c])),
            scale_of=self.recorded,
        )


@dataclass(frozen=True)
class ComparedAnswers:
    """The answers in one request mode, compared with the recorded ones and with those of the path in process."""

    received: ServiceAnswers
    answers: pd.DataFrame
    recorded: Parity
    in_process: Parity | None

    @property
    def wrong(self) -> list[str]:
        """The columns that differ from the reference."""
        return [c.column for c in self.recorded.columns if not c.ok]


def comparison_of(trial: Trial, service: LiveService) -> ServiceComparison:
    """Return the expected answers of the trial's service."""
    stage = service.service.serves or trial.pipeline.stages[-1]
    whole = service.service.serves is None
    varying = set(trial.policy.golden.varying)
    requests = trial.reference.requests if whole else trial.reference.input_of(trial.pipeline.stage(stage).name)
    try:
        here: pd.DataFrame | None = trial.chained(stage) if whole else trial.isolated(stage)
    except StageError:
        here = None
    recorded = trial.reference.frame(stage)
    return ServiceComparison(
        trial,
        stage,
        requests,
        request_keys(requests, trial.pipeline.key, trial.reference.frame(trial.pipeline.stages[0])),
        frame_json.projected(recorded[[c for c in recorded.columns if c not in varying]]),
        None if here is None else frame_json.projected(here[[c for c in here.columns if c not in varying]]),
    )


def compare_both_modes(comparison: ServiceComparison, service: LiveService) -> list[ComparedAnswers]:
    """Send the requests in batches where the service takes them, and one by one: a sample and those that differed."""
    golden = comparison.trial.policy.golden
    rows = list(range(len(comparison.requests)))
    if not takes_batches(service.target):
        return [compare_rows(comparison, service, rows)]
    batched = compare_rows(comparison, service, rows, golden.batch_size)
    if service.ended() is not None or batched.received.unreachable:
        return [batched]
    drawn = np.random.default_rng(comparison.trial.seed).permutation(len(rows))[: golden.single_requests].tolist()
    worst = {k for c in batched.recorded.columns if not c.ok for k in c.worst_keys}
    unanswered = {str(k) for failure in batched.received.failures.values() for k in failure.keys[:DOUBTFUL]}
    doubtful = [n for n in rows if str(comparison.keys[n]) in worst | unanswered][:DOUBTFUL]
    return [batched, compare_rows(comparison, service, sorted({*drawn, *doubtful}))]


def compare_rows(
    comparison: ServiceComparison, service: LiveService, rows: list[int], batch: int = 1
) -> ComparedAnswers:
    """Send the requests at these positions, ``batch`` at a time, and compare the answers."""
    trial, key = comparison.trial, comparison.trial.pipeline.key
    requests, keys = comparison.requests.iloc[rows], [comparison.keys[n] for n in rows]
    received = send_requests(service.target, requests, keys, key, batch)
    _retry_degraded(comparison, service, received, batch)
    answers = frame_json.read(_renamed(received.answers, comparison), comparison.recorded)
    if not len(answers):
        answers = comparison.recorded.iloc[:0]
    answers = answers[[c for c in answers.columns if c not in trial.policy.golden.varying]]
    lost = {k for failure in received.failures.values() for k in map(str, failure.keys)}
    due = {str(k) for k in keys} - lost - {str(answer[key]) for answer in received.degraded}
    if received.unsent:
        due &= {str(k) for k in answers[key]}

    def part(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame[key].astype(str).isin(due)] if len(due) < len(frame) else frame

    here = (
        None
        if comparison.in_process is None
        else comparison.compare(part(comparison.in_process), answers, recorded=False)
    )
    return ComparedAnswers(received, answers, comparison.compare(part(comparison.recorded), answers), here)


def _retry_degraded(comparison: ServiceComparison, service: LiveService, received: ServiceAnswers, batch: int) -> None:
    """Send requests again whose answers are degraded where the reference's are not; set apart what stays degraded.

    A dependency that was slow for a moment is no fault of the version, and a degraded answer must not be compared.
    """
    key, field = comparison.trial.pipeline.key, comparison.trial.policy.golden.degraded_field
    recorded = comparison.recorded
    expected = {str(k) for k in (recorded[recorded[field].eq(True)][key] if field in recorded.columns else ())}
    row_of = {str(k): n for n, k in enumerate(comparison.keys)}

    def split(answers: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        bad = [a for a in answers if a.get(field) is True and str(a.get(key)) in row_of.keys() - expected]
        marked = {id(a) for a in bad}
        return [a for a in answers if id(a) not in marked], bad

    received.answers, received.degraded = split(received.answers)
    received.retried = len(received.degraded)
    for wait in WAITS_SECONDS:
        if not received.degraded:
            return
        time.sleep(wait)
        rows = [row_of[str(answer[key])] for answer in received.degraded]
        keys = [comparison.keys[n] for n in rows]
        more = send_requests(service.target, comparison.requests.iloc[rows], keys, key, batch)
        complete, still = split(more.answers)
        answered = {str(answer[key]) for answer in (*complete, *still)}
        received.answers += complete
        received.degraded = [*still, *(a for a in received.degraded if str(a[key]) not in answered)]


def _renamed(answers: list[dict[str, Any]], comparison: ServiceComparison) -> list[dict[str, Any]]:
    """Rename the outputs of a model server, which chooses its own names, to the stage's columns, by position."""
    key = comparison.trial.pipeline.key
    wanted = [c for c in comparison.recorded.columns if c != key]
    if not answers:
        return answers
    given = [c for c in answers[0] if c != key]
    if set(given) & set(wanted) or len(given) != len(wanted):
        return answers
    names = dict(zip(given, wanted, strict=True))
    return [{names.get(c, c): v for c, v in answer.items()} for answer in answers]
