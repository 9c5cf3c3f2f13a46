"""The expected answer to each request, and the comparison of answers under load with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from seatrial.checks.serving.answers import key_id, key_ids, key_text
from seatrial.checks.serving.requests import request_keys
from seatrial.errors import AnswerError, UsageError
from seatrial.io import frame_json
from seatrial.loadgen.results import RequestResult
from seatrial.parity.agreement.choose import applicable
from seatrial.parity.noisy import compare_noisy
from seatrial.parity.reading import column
from seatrial.parity.result import Parity
from seatrial.pipeline import key_columns
from seatrial.targets.messages import Response
from seatrial.targets.rest import answers_of, with_keys
from seatrial.trial import Trial


@dataclass(frozen=True)
class Expected:
    """The requests of the reference and their recorded answers, in the types that JSON preserves, row by row.

    Attributes:
        payloads: the body of each request.
        keys: the key of each request, as text.
        frame: the recorded answers without the columns declared as varying.
        asked: the key of each request as it is sent, None where it is not known.
        requests: the rows that the requests are made of.
        read: returns the object in each response to the requests of these rows, or why there is none; by default each
            is one JSON object.
    """

    trial: Trial
    stage: str
    payloads: Sequence[bytes]
    keys: Sequence[str]
    frame: pd.DataFrame
    asked: Sequence[Any] = ()
    requests: pd.DataFrame = field(default_factory=pd.DataFrame)
    read: Callable[[Sequence[int], Sequence[Response]], Iterable[dict[str, Any] | AnswerError]] | None = None

    def answered(
        self, answers: Sequence[RequestResult], rows: Sequence[int]
    ) -> tuple[list[dict[str, Any] | None], str]:
        """Return the object in each answer, None where there is none, and the first reason for that."""
        responses = [Response(each.status, each.headers, each.body, 0.0) for each in answers]
        read = self.read or self._objects
        found = list(read(rows, responses))
        reason = next((str(each) for each in found if isinstance(each, AnswerError)), "")
        return [None if isinstance(each, AnswerError) else each for each in found], reason

    def _objects(self, rows: Sequence[int], responses: Sequence[Response]) -> Iterator[dict[str, Any] | AnswerError]:
        key = self.trial.pipeline.key
        own_columns = set(self.frame.columns) - set(key_columns(key))
        for row, response in zip(rows, responses, strict=True):
            try:
                told = answers_of(response, 1, columns=own_columns)
            except AnswerError as error:
                yield error
                continue
            yield self.named(told[0], row)

    def named(self, answer: dict[str, Any], row: int) -> dict[str, Any]:
        """Return an answer to the request of a row with that request's key, where it names none."""
        key = self.trial.pipeline.key
        own = self.keys[row] if isinstance(key, str) else key_ids(self.frame.iloc[[row]], key)[0]
        return with_keys([answer], [own], key)[0]

    def compare(
        self,
        answered: Sequence[dict[str, Any]],
        rows: Sequence[int],
        expected: pd.DataFrame | None = None,
        *,
        without: Collection[str] = (),
        worst: int = 5,
    ) -> Parity:
        """Compare answered objects with the expected answers of their rows, by default the recorded ones.

        A request that was answered several times is several rows; fields that the reference lacks are ignored.
        """
        trial, key = self.trial, self.trial.pipeline.key
        recorded = expected is None
        expected = self.frame if expected is None else expected
        expected = expected.drop(columns=[c for c in without if c in expected])
        wanted = expected.iloc[list(rows)].reset_index(drop=True)
        actual = frame_json.read(answered, wanted)
        actual = actual[[c for c in wanted.columns if c in actual]]
        names = self._keys(rows)
        columns = list(key_columns(key))
        label = columns[0]  # holds the whole key: a row that occurs several times needs another
        wanted = wanted.drop(columns=columns[1:]).assign(**{label: pd.array(names, dtype="string")})
        if set(columns) <= set(actual):
            told = [None if None in k else key_text(k) for k in _keys_in(actual, columns)]
            own = zip(told, rows, names, strict=True)
            actual[label] = pd.array([name if k == self.keys[n] else k for k, n, name in own], dtype="string")
        actual = actual.drop(columns=[c for c in columns[1:] if c in actual])
        known = set(wanted.columns) - {label}
        tolerances = trial.policy.of(self.stage).tolerances
        return compare_noisy(
            wanted,
            actual,
            key=label,
            tolerances=applicable(tolerances, known, lambda c: column(self.frame[c])),
            noise=trial.noise(self.stage, "chained" if self.stage == trial.pipeline.stages[-1] else "isolated"),
            recorded=recorded,
            names=[self.keys[n] for n in rows],
            scale_of=self.frame,
            worst=worst,
            distributions=False,
        )

    def equal(
        self,
        answered: Sequence[dict[str, Any]],
        rows: Sequence[int],
        expected: pd.DataFrame | None = None,
        *,
        without: Collection[str] = (),
    ) -> np.ndarray:
        """Return a boolean for each answered object: whether it matches the expected answer; see :meth:`compare`."""
        if not answered:
            return np.zeros(0, dtype=bool)
        parity = self.compare(answered, rows, expected, without=without, worst=len(answered))
        if parity.missing_columns or not parity.keys_ok or not all(c.dtype_ok for c in parity.columns):
            return np.zeros(len(answered), dtype=bool)
        wrong = {str(key) for column in parity.columns if not column.ok for key in column.worst_keys}
        return np.array([key not in wrong for key in self._keys(rows)])

    def _keys(self, rows: Sequence[int]) -> list[str]:
        """Return the keys of the rows, numbered where a row occurs several times."""
        times = pd.Series(list(rows), dtype="int64")
        again = times.groupby(times).cumcount()
        return [self.keys[n] if not a else f"{self.keys[n]} #{a}" for n, a in zip(rows, again, strict=True)]


def expected(trial: Trial) -> Expected:
    """Return the requests of the trial's service and its expected answers, for the whole path or one stage."""
    service = trial.pipeline.service
    assert service is not None
    reference, key = trial.reference, trial.pipeline.key
    stage = service.serves or trial.pipeline.stages[-1]
    requests = reference.requests if service.serves is None else reference.input_of(stage)
    found = request_keys(requests, key, reference.frame(trial.pipeline.stages[0]))
    known = [key_id(k) for k in found if k is not None]
    if trial.pipeline.key_of(stage) != trial.pipeline.key_of() or len({*known}) < len(known):
        raise UsageError(
            f"A request has several rows, here or in the answers of '{stage}'. Under load and faults, answers are "
            "compared where a request has one row."
        )
    keys = [key_text(k) for k in found]
    recorded = reference.frame(stage)
    recorded = recorded[[c for c in recorded.columns if c not in set(trial.policy.golden.varying)]]
    frame = frame_json.projected(recorded)
    answered = [key_text(k) for k in key_ids(frame, key)]
    if keys != answered:  # a path may sort its answers
        frame = frame.set_axis(answered).reindex(keys).reset_index(drop=True)
    return Expected(trial, stage, [t.encode() for t in frame_json.payloads(requests)], keys, frame, found, requests)


def _keys_in(frame: pd.DataFrame, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    texts = [frame[c].astype("string").astype(object).where(frame[c].notna(), None) for c in columns]
    return list(zip(*texts, strict=True))
