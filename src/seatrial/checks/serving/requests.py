"""Send reference requests to the live service, one by one or in batches, and collect answers and failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from seatrial.checks.serving.answers import AnswerForm, key_id
from seatrial.checks.serving.cross_talk import OtherAnswer
from seatrial.errors import AnswerError, TargetError, UsageError
from seatrial.parity.keys import BETWEEN
from seatrial.pipeline import Key
from seatrial.targets.messages import Response, is_unnamed
from seatrial.targets.protocol import Exchanging, Gathering, Target
from seatrial.targets.rest import keys_of
from seatrial.targets.sending import FAILURES

AT_ONCE = 8  # concurrent requests to a target that is called through its step
NAMED = 5  # keys named in a finding
BATCHES = "in batches"
KEPT_BYTES = 32 * 2**20  # of the requests and responses that can be shown


@dataclass
class RequestFailure:
    """Requests that failed in the same way: the message and their keys. ``status`` is 0 without an HTTP status.

    ``first`` is what the first of them got.
    """

    message: str
    status: int = 0
    keys: list[Any] = field(default_factory=list)
    first: Response | TargetError | None = None


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
        again: the number of messages that were sent again because the service had closed their connection.
        others: answers with the key of another request; they are not among ``answers``.
        results: some of the responses, with the keys of their requests as findings name them.
        unnamed: the protocol gives the values of an answer no names, only an order.
    """

    mode: str
    answers: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[str, RequestFailure] = field(default_factory=dict)
    unsent: int = 0
    unreachable: str = ""
    reordered: int = 0
    degraded: list[dict[str, Any]] = field(default_factory=list)
    retried: int = 0
    again: int = 0
    others: list[OtherAnswer] = field(default_factory=list)
    results: list[tuple[list[str], Response]] = field(default_factory=list, repr=False)
    unnamed: bool = False

    @property
    def statuses(self) -> set[int]:
        """The HTTP statuses of the failed requests; 0 for those without one."""
        return {failure.status for failure in self.failures.values()}

    def add_failure(
        self, keys: Sequence[Any], message: str, status: int = 0, result: Response | TargetError | None = None
    ) -> None:
        """Record failed requests by their keys, and what they got."""
        self.failures.setdefault(message, RequestFailure(message, status, first=result)).keys.extend(keys)


def send_requests(
    target: Target,
    requests: pd.DataFrame,
    rows: Sequence[Sequence[int]],
    keys: Sequence[Any],
    form: AnswerForm,
    batch: int = 1,
) -> ServiceAnswers:
    """Send every request, ``batch`` at a time, and return the answers and failures.

    Args:
        target: the open target.
        requests: the rows of all requests.
        rows: the positions of each request's rows, mostly one.
        keys: the key of each request, None where it is not known.
        form: what an answer holds.
        batch: requests in one message; more than one needs a target that takes batches, and requests of one row.

    Raises:
        UsageError: a request has several rows, and the target sends one row a message.
    """
    received, kept = ServiceAnswers("one by one" if batch == 1 else BATCHES), KEPT_BYTES
    parts = [slice(at, at + batch) for at in range(0, len(rows), batch)]
    together = any(len(own) != 1 for own in rows)
    outcomes: list[Any]
    if together and isinstance(target, Gathering):
        outcomes = list(target.exchange_together([requests.iloc[own] for own in rows]))
    elif together and isinstance(target, Exchanging):
        raise UsageError(
            f"Requests of the reference have several rows, and {type(target).__name__} sends one row a request. Give "
            "the target exchange_together, or keep one row a request, with lists in its columns."
        )
    elif isinstance(target, Exchanging):
        outcomes = list(target.exchange(requests.iloc[[n for own in rows for n in own]], batch))
    else:
        outcomes = _step_all(target, [requests.iloc[[n for own in rows[p] for n in own]] for p in parts])
    for part, outcome in zip(parts, outcomes, strict=True):
        _add(received, outcome, list(keys[part]), form)
        if isinstance(outcome, Response) and outcome.asked and kept > 0:
            kept -= len(outcome.body) + len(outcome.asked.body)
            received.results.append(([BETWEEN.join(key_id(k)) for k in keys[part]], outcome))
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


def rows_of_requests(keys: Sequence[Any]) -> list[list[int]]:
    """Return the positions of each request's rows; a row without a key is a request of its own."""
    found: dict[Any, list[int]] = {}
    for n, key in enumerate(keys):
        found.setdefault(n if key is None else key_id(key), []).append(n)
    return list(found.values())


def _add(received: ServiceAnswers, outcome: Any, keys: list[Any], form: AnswerForm) -> None:
    received.again += isinstance(outcome, Response) and outcome.again
    try:
        if isinstance(outcome, AnswerError):
            raise outcome
        if isinstance(outcome, TargetError):
            received.unreachable = received.unreachable or str(outcome)
            received.unsent += len(keys)
        elif outcome is None:
            received.unsent += len(keys)
        else:
            answers, others = form.own_rows(outcome, keys, batch=received.mode == BATCHES)
            received.others += others
            received.unnamed |= not isinstance(outcome, Response) and is_unnamed(outcome)
            own = list(dict.fromkeys(key_id(answer_key(answer, form.key)) for answer in answers))
            asked = [key_id(k) for k in keys]
            received.reordered += own != asked and sorted(own) == sorted(asked)
            received.answers += answers
    except AnswerError as error:
        bad = isinstance(outcome, Response) and not outcome.ok
        message = f"{error}{_refused_fields(outcome)}" if bad else str(error)
        result = outcome if isinstance(outcome, Response | TargetError) else None
        received.add_failure(keys, message, outcome.status if bad else 0, result)


def answer_key(answer: Mapping[str, Any], key: Key) -> Any:
    """Return the key of an answer's request, a tuple where it has several columns."""
    return answer.get(key) if isinstance(key, str) else tuple(answer.get(name) for name in key)


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
            answers = target.step(part)
        except TargetError as error:
            failures += 1
            return error
        failures = 0
        return answers

    pace = getattr(target, "pace", None)
    with ThreadPoolExecutor(AT_ONCE if pace is None else pace.width) as pool:
        return list(pool.map(one, parts))
