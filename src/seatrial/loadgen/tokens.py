"""Streamed answers, judged from the times of their tokens: time to first token, time per output token, goodput, length.

Times are seconds. Whoever receives several tokens in one event gives the number of tokens beside the times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seatrial.errors import UsageError

Times = np.ndarray[Any, np.dtype[np.float64]]
LENGTH_SHARE = 0.9  # of the reference's tokens, as MLPerf Inference asks of language models


@dataclass(frozen=True, eq=False)
class TokenTimes:
    """When the tokens of each request's answer came. Every array has the shape (requests,).

    Attributes:
        first: seconds from when the request was due to its first token; NaN where it got none.
        per_token: seconds per output token, from the first to the last; NaN where there is no second one.
        length: of the answer, in tokens; 0 where there is none.
        reference: the same of the recorded answer.
        gaps: every time between two parts of one answer, shape (gaps,).
    """

    first: Times
    per_token: Times
    length: np.ndarray[Any, np.dtype[np.int64]]
    reference: np.ndarray[Any, np.dtype[np.int64]]
    gaps: Times


@dataclass(frozen=True)
class Goodput:
    """How many requests kept both limits.

    Attributes:
        good: requests that kept them.
        requests: all of them, unanswered ones too.
    """

    good: int
    requests: int

    @property
    def share(self) -> float:
        """The share of good requests; NaN without requests."""
        return self.good / self.requests if self.requests else float("nan")


@dataclass(frozen=True)
class LengthGuard:
    """Whether answers are long enough for their times to mean something: a short answer is a fast one.

    Attributes:
        tokens: of the answers.
        reference: tokens of the recorded answers to the same requests.
        at_least: the share of the reference's tokens that is needed.
    """

    tokens: int
    reference: int
    at_least: float

    @property
    def share(self) -> float:
        """Tokens as a share of the reference's; NaN where the reference has none."""
        return self.tokens / self.reference if self.reference else float("nan")

    @property
    def holds(self) -> bool:
        """Whether there are enough tokens; false where nothing could be compared."""
        return self.reference > 0 and self.tokens >= self.at_least * self.reference


def time_to_first_token(sent: Sequence[float] | Times, events: Sequence[Sequence[float] | Times]) -> Times:
    """Return the seconds from each request to its first token; NaN where it got none.

    Args:
        sent: when each request was due, in seconds.
        events: the times of each request's tokens, ascending, on the same clock.

    Raises:
        UsageError: another number of requests than of answers, or times that run backwards.

    Example:
        >>> time_to_first_token([0.0, 1.0], [[0.25, 0.5], []]).tolist()
        [0.25, nan]
    """
    if len(sent) != len(events):
        raise UsageError(f"There are {len(sent):,} requests and the token times of {len(events):,}.")
    rows = [_ascending(row) for row in events]
    begin = np.asarray(sent, dtype=np.float64)
    first = np.array([row[0] if len(row) else np.nan for row in rows], dtype=np.float64)
    if np.any(first < begin):
        raise UsageError("A first token comes before its request.")
    return first - begin


def time_per_output_token(events: Sequence[Sequence[float] | Times], tokens: Sequence[int] | None = None) -> Times:
    """Return the seconds between tokens of each answer: from the first to the last, over the tokens after the first.

    Args:
        events: the times of each request's tokens, ascending.
        tokens: how many tokens each answer has, where an event may carry several; by default one an event.

    Returns:
        One number a request; NaN where there is no second token.

    Example:
        >>> time_per_output_token([[0.0, 0.1, 0.4], [0.3]]).round(3).tolist()
        [0.2, nan]
    """
    rows = [_ascending(row) for row in events]
    counts = [len(row) for row in rows] if tokens is None else list(tokens)
    if len(counts) != len(rows):
        raise UsageError(f"There are the tokens of {len(counts):,} answers and the times of {len(rows):,}.")
    return np.array(
        [
            (row[-1] - row[0]) / (n - 1) if n > 1 and len(row) > 1 else np.nan
            for row, n in zip(rows, counts, strict=True)
        ],
        dtype=np.float64,
    )


def between_tokens(events: Sequence[Sequence[float] | Times]) -> Times:
    """Return every time between two events of one answer: a stall in the middle, which a mean hides, is one of them.

    Example:
        >>> between_tokens([[0.0, 0.1, 0.4], [0.3]]).round(3).tolist()
        [0.1, 0.3]
    """
    gaps = [np.diff(_ascending(row)) for row in events]
    return np.concatenate(gaps) if gaps else np.empty(0, dtype=np.float64)


def goodput(first: Times, per_token: Times, *, first_limit: float, per_token_limit: float) -> Goodput:
    """Return how many requests kept both limits.

    A request without a token keeps none. One with a single token has no time between tokens, and keeps that limit.

    Args:
        first: the time to the first token of each request, NaN where there was none.
        per_token: the time per output token of each request, NaN where there is none.
        first_limit: the longest time to the first token, seconds.
        per_token_limit: the longest time per output token, seconds.

    Example:
        >>> goodput(np.array([0.1, 0.1, 0.9, np.nan]), np.array([0.01, np.nan, 0.01, np.nan]),
        ...         first_limit=0.5, per_token_limit=0.05)
        Goodput(good=2, requests=4)
    """
    if len(first) != len(per_token):
        raise UsageError(f"There are {len(first):,} times to first token and {len(per_token):,} per output token.")
    kept = (np.asarray(first) <= first_limit) & (np.isnan(per_token) | (np.asarray(per_token) <= per_token_limit))
    return Goodput(int(kept.sum()), len(first))


def length_guard(tokens: Sequence[int], reference: Sequence[int], *, at_least: float = LENGTH_SHARE) -> LengthGuard:
    """Return whether answers have enough tokens, all together, beside the recorded ones.

    Args:
        tokens: of each answer; 0 where there was none.
        reference: of the recorded answer to the same request.
        at_least: the share that is needed, 0 to 1.

    Example:
        >>> [length_guard(tokens, [100, 100]).holds for tokens in ([90, 95], [10, 95])], length_guard([], []).holds
        ([True, False], False)
    """
    if len(tokens) != len(reference):
        raise UsageError(f"There are the tokens of {len(tokens):,} answers and of {len(reference):,} recorded ones.")
    if not 0 < at_least <= 1:
        raise UsageError(f"at_least is {at_least:g}; a share lies above 0 and is at most 1.")
    return LengthGuard(sum(map(int, tokens)), sum(map(int, reference)), at_least)


def _ascending(row: Sequence[float] | Times) -> Times:
    times = np.asarray(row, dtype=np.float64)
    if len(times) > 1 and np.any(np.diff(times) < 0):
        raise UsageError("The times of an answer's tokens run backwards.")
    return times
