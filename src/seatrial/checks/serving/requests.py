"""Ask a live service for its answers to reference requests, one by one or in batches, and keep what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from seatrial.errors import AnswerError, TargetError
from seatrial.io import frame_json
from seatrial.targets.http import FAILURES
from seatrial.targets.messages import Response
from seatrial.targets.protocol import Exchanging, Target
from seatrial.targets.rest import answers_of, keys_of, with_keys

AT_ONCE = 8  # requests under way where a target is asked through its step
NAMED = 5  # keys named of those that went wrong


@dataclass
class Problem:
    """Requests that went wrong in the same way: the words, and their keys. ``status`` is 0 where there was none."""

    message: str
    status: int = 0
    keys: list[Any] = field(default_factory=list)


@dataclass
class Answers:
    """What a service answered in one way of asking.

    Attributes:
        way: ``one by one`` or ``in batches``.
        answers: the answered objects, each with its key.
        troubles: what went wrong, by message; their requests have no answer.
        unsent: requests that were given up after failures.
        away: why nobody was reached, or empty.
        moved: batches whose answers came in another order than their requests.
        degraded: answers that say they are degraded, where training's are not; they are among no ``answers``.
        again: how many requests were asked again for that.
    """

    way: str
    answers: list[dict[str, Any]] = field(default_factory=list)
    troubles: dict[str, Problem] = field(default_factory=dict)
    unsent: int = 0
    away: str = ""
    moved: int = 0
    degraded: list[dict[str, Any]] = field(default_factory=list)
    again: int = 0

    def broke(self, keys: Sequence[Any], message: str, status: int = 0) -> None:
        """Keep requests that went wrong."""
        self.troubles.setdefault(message, Problem(message, status)).keys.extend(keys)


def ask_service(target: Target, requests: pd.DataFrame, keys: Sequence[Any], key: str, batch: int = 1) -> Answers:
    """Send every request, ``batch`` in one, and return what was told.

    Args:
        target: the open target.
        requests: the request rows.
        keys: each request's key, None where it is not known.
        key: the field of it.
        batch: requests in one; more than one needs a target that takes batches.
    """
    told = Answers("one by one" if batch == 1 else "in batches")
    parts = [slice(at, at + batch) for at in range(0, len(requests), batch)]
    outcomes: list[Any]
    if isinstance(target, Exchanging):
        outcomes = list(target.exchange(requests, batch))
    else:
        outcomes = _step_all(target, [requests.iloc[p] for p in parts])
    for part, outcome in zip(parts, outcomes, strict=True):
        _keep(told, outcome, list(keys[part]), key)
    return told


def takes_batches(target: Target) -> bool:
    """Whether the target takes several rows in one request."""
    return not isinstance(target, Exchanging) or target.batch is not None


def request_keys(requests: pd.DataFrame, key: str, first: pd.DataFrame) -> list[Any]:
    """Return each request's key: its own, or that of the first stage's row in its place."""
    keys = keys_of(requests, key)
    if all(k is None for k in keys) and len(first) == len(requests):
        keys = keys_of(first, key)
    return keys


def _keep(told: Answers, outcome: Any, keys: list[Any], key: str) -> None:
    try:
        if isinstance(outcome, AnswerError):
            raise outcome
        if isinstance(outcome, TargetError):
            told.away = told.away or str(outcome)
            told.unsent += len(keys)
        elif outcome is None:
            told.unsent += len(keys)
        else:
            answers = answers_of(outcome, len(keys)) if isinstance(outcome, Response) else frame_json.rows(outcome)
            own = [answer.get(key) for answer in answers]
            told.moved += own != keys and None not in own and sorted(map(str, own)) == sorted(map(str, keys))
            told.answers += with_keys(answers, keys, key)
    except AnswerError as error:
        bad = isinstance(outcome, Response) and not outcome.ok
        said = f"{error}{_where(outcome)}" if bad else str(error)
        told.broke(keys, said, outcome.status if bad else 0)


def _where(response: Response) -> str:
    """Return the fields that a refusal in FastAPI's form names, and none of their values."""
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
