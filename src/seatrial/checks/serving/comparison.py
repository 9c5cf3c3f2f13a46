"""Compare three answers to each request: the recorded one, the path's in process, and the live service's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from seatrial.checks.serving.answers import AnswerForm, key_id, key_ids
from seatrial.checks.serving.cross_talk import same_form
from seatrial.checks.serving.requests import (
    ServiceAnswers,
    answer_key,
    request_keys,
    rows_of_requests,
    send_requests,
    takes_batches,
)
from seatrial.checks.serving.service import LiveService
from seatrial.errors import StageError
from seatrial.io import frame_json
from seatrial.parity.agreement.choose import applicable
from seatrial.parity.keys import BETWEEN
from seatrial.parity.noisy import compare_noisy
from seatrial.parity.reading import column
from seatrial.parity.result import Parity
from seatrial.trial import Trial

DOUBTFUL = 50  # requests that differ in a batch and are then sent alone
SENT = 5_000  # requests of a reference in partitions, drawn from the first one
WAITS_SECONDS = (0.5, 1.5, 3.0)  # before a degraded request is sent again: a circuit breaker stays open for a while


@dataclass(frozen=True)
class ServiceComparison:
    """The expected answers of the live service, recorded and in process, in the types that JSON preserves.

    Attributes:
        trial: the trial that the service belongs to.
        stage: the stage whose frame the service answers with.
        requests: the rows of all requests.
        rows: the positions of each request's rows, mostly one.
        keys: the key of each request.
        recorded: the answers in the reference.
        in_process: the answers of the path in process; None where it failed.
    """

    trial: Trial
    stage: str
    requests: pd.DataFrame
    rows: Sequence[Sequence[int]]
    keys: Sequence[Any]
    recorded: pd.DataFrame
    in_process: pd.DataFrame | None

    @property
    def whole_path(self) -> bool:
        """Whether the service runs the whole path, not one stage of it."""
        return self.stage == self.trial.pipeline.stages[-1]

    @cached_property
    def form(self) -> AnswerForm:
        """What an answer holds."""
        pipeline = self.trial.pipeline
        answered = set(key_ids(self.recorded, pipeline.key))
        several = pipeline.key_of(self.stage) != pipeline.key_of()
        silent = {i for k in self.keys if (i := key_id(k)) not in answered and k is not None}
        known = {same_form(k) for k in self.keys if k is not None}
        return AnswerForm(pipeline.key, several, set(self.recorded.columns), silent, known)

    def compare(self, expected: pd.DataFrame, actual: pd.DataFrame, *, recorded: bool = True) -> Parity:
        """Compare two frames within the tolerances of the stage; ``expected`` is recorded, or else another answer.

        The order of requests is none of its answer.
        """
        rows = self.trial.pipeline.rows_of(self.stage)
        known = set(expected.columns) - set(rows["key"])
        tolerances = self.trial.policy.of(self.stage).tolerances
        return compare_noisy(
            expected,
            actual,
            **{**rows, "ordered": rows["ordered"] and self.form.several},
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
        return [c.column for c in self.recorded.columns if c.differs]


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
    keys = request_keys(requests, trial.pipeline.key, trial.reference.frame(trial.pipeline.stages[0]))
    parts = rows_of_requests(keys)
    if trial.partitioned is not None and len(parts) > SENT:
        drawn = np.random.default_rng(trial.seed).permutation(len(parts))[:SENT]
        parts = [parts[n] for n in sorted(drawn.tolist())]
    return ServiceComparison(
        trial,
        stage,
        requests,
        parts,
        [keys[rows[0]] for rows in parts],
        frame_json.projected(recorded[[c for c in recorded.columns if c not in varying]]),
        None if here is None else frame_json.projected(here[[c for c in here.columns if c not in varying]]),
    )


def compare_both_modes(comparison: ServiceComparison, service: LiveService) -> list[ComparedAnswers]:
    """Send the requests in batches where the service takes them, and one by one: a sample and those that differed."""
    golden = comparison.trial.policy.golden
    rows = list(range(len(comparison.keys)))
    if not takes_batches(service.target) or any(len(own) != 1 for own in comparison.rows):
        return [compare_rows(comparison, service, rows)]
    batched = compare_rows(comparison, service, rows, golden.batch_size)
    if service.ended() is not None or batched.received.unreachable:
        return [batched]
    drawn = np.random.default_rng(comparison.trial.seed).permutation(len(rows))[: golden.single_requests].tolist()
    columns = len(comparison.trial.pipeline.key_of())
    worst = {tuple(k.split(BETWEEN)[:columns]) for c in batched.recorded.columns if not c.ok for k in c.worst_keys}
    worst |= {(k,) for c in batched.recorded.columns if not c.ok for k in c.worst_keys}
    unanswered = {key_id(k) for failure in batched.received.failures.values() for k in failure.keys[:DOUBTFUL]}
    unanswered |= {key_id(other.asked) for other in batched.received.others[:DOUBTFUL]}
    doubtful = [n for n in rows if key_id(comparison.keys[n]) in worst | unanswered][:DOUBTFUL]
    return [batched, compare_rows(comparison, service, sorted({*drawn, *doubtful}))]


def compare_rows(
    comparison: ServiceComparison, service: LiveService, rows: list[int], batch: int = 1
) -> ComparedAnswers:
    """Send the requests at these positions, ``batch`` at a time, and compare the answers."""
    trial, key = comparison.trial, comparison.trial.pipeline.key
    keys = [comparison.keys[n] for n in rows]
    received = _sent(comparison, service, rows, batch)
    _retry_degraded(comparison, service, received, batch)
    told = _in_order(received.answers, comparison) if received.unnamed else received.answers
    answers = frame_json.read(told, comparison.recorded)
    if not len(answers):
        answers = comparison.recorded.iloc[:0]
    answers = answers[[c for c in answers.columns if c not in trial.policy.golden.varying]]
    lost = {key_id(k) for failure in received.failures.values() for k in failure.keys}
    lost |= {key_id(other.asked) for other in received.others}
    due = {key_id(k) for k in keys} - lost - {key_id(answer_key(answer, key)) for answer in received.degraded}
    if received.unsent:
        due &= set(key_ids(answers, key))

    def part(frame: pd.DataFrame) -> pd.DataFrame:
        asked = np.array([name in due for name in key_ids(frame, key)], dtype=bool)
        return frame if asked.all() else frame[asked]

    here = (
        None
        if comparison.in_process is None
        else comparison.compare(part(comparison.in_process), answers, recorded=False)
    )
    return ComparedAnswers(received, answers, comparison.compare(part(comparison.recorded), answers), here)


def _sent(comparison: ServiceComparison, service: LiveService, rows: list[int], batch: int) -> ServiceAnswers:
    keys, own = [comparison.keys[n] for n in rows], [comparison.rows[n] for n in rows]
    return send_requests(service.target, comparison.requests, own, keys, comparison.form, batch)


def _retry_degraded(comparison: ServiceComparison, service: LiveService, received: ServiceAnswers, batch: int) -> None:
    """Send requests again whose answers are degraded where the reference's are not; set apart what stays degraded.

    A dependency that was slow for a moment is no fault of the version, and a degraded answer must not be compared.
    """
    key, field = comparison.trial.pipeline.key, comparison.trial.policy.golden.degraded_field
    recorded = comparison.recorded
    expected = set(key_ids(recorded[recorded[field].eq(True)], key)) if field in recorded.columns else set()
    row_of = {key_id(k): n for n, k in enumerate(comparison.keys)}

    def of(answer: dict[str, Any]) -> tuple[str, ...]:
        return key_id(answer_key(answer, key))

    def split(answers: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        marked = {name for a in answers if a.get(field) is True and (name := of(a)) in row_of.keys() - expected}
        return [a for a in answers if of(a) not in marked], [a for a in answers if of(a) in marked]

    received.answers, received.degraded = split(received.answers)
    received.retried = len({of(a) for a in received.degraded})
    for wait in WAITS_SECONDS:
        if not received.degraded:
            return
        time.sleep(wait)
        rows = list(dict.fromkeys(row_of[of(answer)] for answer in received.degraded))
        more = _sent(comparison, service, rows, batch)
        complete, still = split(more.answers)
        answered = {of(answer) for answer in (*complete, *still)}
        received.answers += complete
        received.others += more.others
        received.degraded = [*still, *(a for a in received.degraded if of(a) not in answered)]


def _in_order(answers: list[dict[str, Any]], comparison: ServiceComparison) -> list[dict[str, Any]]:
    """Give the values of answers without names those of the stage's columns, by position."""
    key = comparison.trial.pipeline.key_of(comparison.stage)
    wanted = [c for c in comparison.recorded.columns if c not in key]
    if not answers:
        return answers
    given = [c for c in answers[0] if c not in key]
    if len(wanted) == 1 and len(given) > 1:  # one column of lists
        return [{**{c: a[c] for c in key if c in a}, wanted[0]: [a.get(c) for c in given]} for a in answers]
    if set(given) & set(wanted) or len(given) != len(wanted):
        return answers
    names = dict(zip(given, wanted, strict=True))
    return [{names.get(c, c): v for c, v in answer.items()} for answer in answers]
