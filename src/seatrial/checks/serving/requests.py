"""Send reference requests to the live service, one by one or in batches, and collect answers and failures."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from seatrial.errors import AnswerError, TargetError
from seatrial.io import frame_json
from seatrial.pipeline import Key
from seatrial.targets.http import FAILURES
from seatrial.targets.messages import Response
from seatrial.targets.protocol import Exchanging, Target
from seatrial.targets.rest import answers_of, keys_of, with_keys

AT_ONCE = 8  # concurrent requests to a target that is called through its step
NAMED = 5  # keys named in a finding


@dataclass
class RequestFailure:
    """Requests that failed in the same way: the message and their keys. ``status`` is 0 without an HTTP status."""

    message: str
    status: int = 0
    keys: list[Any] = field(default_factory=list)


@dataclass
class ServiceAnswers:
    """The answers of a service in one request mode.

    Attributes:
        mode: ``one by one`` or ``in batches``.
        answers: the answered objects, each with its key.
        failures: the failed requests, by message; they have no answer.
        unsent: the number of requests that were given up after failures.
        unreachable: why the service was not reached, or empty.
        reordered: the number of batches whose answers were in another order than their requests.
        degraded: answers marked as degraded where the reference's are not; they are not among ``answers``.
        retried: the number of requests that were sent again for that reason.
    """

    mode: str
    answers: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[str, RequestFailure] = field(default_factory=dict)
    unsent: int = 0
    unreachable: str = ""
    reordered: int = 0
    degraded: list[dict[str, Any]] = field(default_factory=list)
    retried: int = 0

    def add_failure(self, keys: Sequence[Any], message: str, status: int = 0) -> None:
        """Record failed requests by their keys."""
        self.failures.setdefault(message, RequestFailure(message, status)).keys.extend(keys)


def send_requests(
    target: Target, requests: pd.DataFrame, keys: Sequence[Any], key: str, batch: int = 1
) -> ServiceAnswers:
    """Send every request, ``batch`` at a time, and return the answers and failures.

    Args:
        target: the open target.
        requests: the request rows.
        keys: the key of each request, None where it is not known.
        key: the name of the key field.
        batch: rows in one request; more than one needs a target that takes batches.
    """
    received = ServiceAnswers("one by one" if batch == 1 else "in batches")
    parts = [slice(at, at + batch) for at in range(0, len(requests), batch)]
    outcomes: list[Any]
    if isinstance(target, Exchanging):
        outcomes = list(target.exchange(requests, batch))
    else:
        outcomes = _step_all(target, [requests.iloc[p] for p in parts])
    for part, outcome in zip(parts, outcomes, strict=True):
        _add(received, outcome, list(keys[part]), key)
    return received


def takes_batches(target: Target) -> bool:
    """Whether the target takes several rows in one request."""
    return not isinstance(target, Exchanging) or target.batch is not None


def request_keys(requests: pd.DataFrame, key: Key, first: pd.DataFrame) -> list[Any]:
    """Return the key of each request row: its own, or that of the first stage's row at the same position.

    A key of several columns is a tuple.
    """
    keys = keys_of(requests, key)
    if all(k is None for k in keys) and len(first) == len(requests):
        keys = keys_of(first, key)
    return keys


def _add(received: ServiceAnswers, outcome: Any, keys: list[Any], key: str) -> None:
    try:
        if isinstance(outcome, AnswerError):
            raise outcome
        if isinstance(outcome, TargetError):
            received.unreachable = received.unreachable or str(outcome)
            received.unsent += len(keys)
        elif outcome is None:
            received.unsent += len(keys)
        else:
            answers = answers_of(outcome, len(keys)) if isinstance(outcome, Response) else frame_json.rows(outcome)
            own = [answer.get(key) for answer in answers]
            received.reordered += own != keys and None not in own and sorted(map(str, own)) == sorted(map(str, keys))
            received.answers += with_keys(answers, keys, key)
    except AnswerError as error:
        bad = isinstance(outcome, Response) and not outcome.ok
        message = f"{error}{_refused_fields(outcome)}" if bad else str(error)
        received.add_failure(keys, message, outcome.status if bad else 0)


def _refused_fields(response: Response) -> str:
    """Return a sentence with the fields that a refusal in FastAPI's format names, without their values."""
    try:
        detail = response.json()["detail"]
        fields = dict.fromkeys(".".join(str(part) for part in each["loc"] if part != "body") for each in detail)
    except (AnswerError, KeyError, TypeError):
        return ""
    named = ", ".join(repr(f[:60]) for f in list(fields)[:3] if f)
    return f" It refuses {named}." if named else ""


def _step_all(target: Target, parts: Sequence[pd.DataFrame]) -> list[Any]:
    failures = 0

    def one(part: pd.DataFrame) -> Any:
        nonlocal failures
        if failures >= FAILURES:
            return None
        try:
            return target.step(part)
        except TargetError as error:
            failures += 1
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, parts))
