"""Streamed answers under load: the times of their tokens against the limits, and their length beside the recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seatrial.errors import AnswerError
from seatrial.events import Event, Finding, Measurement
from seatrial.formatting import part_of, seconds, share
from seatrial.loadgen.estimates import quantile
from seatrial.loadgen.results import CUT, LoadRun
from seatrial.loadgen.tokens import TokenTimes, between_tokens, length_guard, time_per_output_token, time_to_first_token
from seatrial.pipeline import SERVICE
from seatrial.policy.load import Slo
from seatrial.targets.shapes.chat import DONE, assembled
from seatrial.targets.shapes.chat_tokens import has_token, tokens_sent
from seatrial.targets.shapes.sse import events_in, times_of

_WORDS = re.compile(r"\w+|[^\w\s]")


def words(row: Mapping[Any, Any]) -> int:
    """Return the length of an answer in words and marks: a measure that any tokenizer's follows, the same for both.

    Example:
        >>> words({"content": "You said: oslo", "tool_calls": None})
        4
    """
    texts = [row.get("content"), row.get("tool_calls")]
    told = [t if isinstance(t, str) else json.dumps(t, default=str) for t in texts if isinstance(t, str | list | tuple)]
    return sum(len(_WORDS.findall(text)) for text in told)


def with_token_times(run: LoadRun, recorded: np.ndarray, sampled: Collection[int]) -> LoadRun:
    """Return a run with the times of its tokens, and with the sampled answers alone.

    A stream with an error in it, or one that ends as its connection does and not as an answer, is none: its outcome
    says so.

    Args:
        run: with every answer, and when its parts arrived.
        recorded: for each request the words of the recorded answer, shape (requests,).
        sampled: the requests whose answers are kept.
    """
    times: list[list[float]] = [[] for _ in range(len(run))]
    counts, lengths = np.zeros(len(run), dtype=np.int64), np.zeros(len(run), dtype=np.int64)
    outcome = run.outcome.copy()
    for each in run.answers:
        if not 200 <= each.status < 300:
            continue
        try:
            events = events_in(each.body)
            answer = assembled(events)
        except AnswerError:
            outcome[each.index] = CUT
            continue
        if answer.finish_reason is None and all(event.data != DONE for event in events):
            outcome[each.index] = CUT
            continue
        own = [at for at, event in zip(times_of(events, each.arrived), events, strict=True) if has_token(event)]
        times[each.index], lengths[each.index] = own, words(answer.row)
        counts[each.index] = tokens_sent(answer, events)
    tokens = TokenTimes(
        time_to_first_token(run.scheduled, times), time_per_output_token(times, counts.tolist()), lengths,
        recorded, between_tokens(times),
    )  # fmt: skip
    kept = [each for each in run.answers if each.index in sampled]
    return replace(run, outcome=outcome, answers=kept, tokens=tokens)


def judged_seconds(run: LoadRun, slo: Slo) -> np.ndarray:
    """Return for each request the seconds that the objective's limit is for.

    Without limits of tokens that is its latency. Else it is its worst time as a share of its own limit, times the
    limit of the whole answer: a request is good where it keeps all of its limits (goodput, as in DistServe, OSDI 2024).
    """
    if run.tokens is None:
        return run.latencies
    worst = run.latencies / slo.limit_seconds
    for limit, times in ((slo.first_token_ms, run.tokens.first), (slo.per_token_ms, run.tokens.per_token)):
        if limit is not None:
            worst = np.fmax(worst, times / (limit / 1e3))
    return np.where(_without(run.tokens), np.inf, worst) * slo.limit_seconds


def _without(tokens: TokenTimes) -> np.ndarray:
    """Return which answers have no token where the recorded one has words."""
    return np.isnan(tokens.first) & (tokens.reference > 0)


def token_limits(slo: Slo) -> str:
    """Return the limits of tokens as a part of a sentence; empty where there are none."""
    parts = []
    if slo.first_token_ms is not None:
        parts.append(f"the first token within {seconds(slo.first_token_ms / 1e3)}")
    if slo.per_token_ms is not None:
        parts.append(f"{seconds(slo.per_token_ms / 1e3)} per output token")
    return f", {' and '.join(parts)}," if parts else ""


def late_tokens(runs: Sequence[LoadRun], slo: Slo) -> list[str]:
    """Return how many requests missed each limit of tokens, as parts of a sentence."""
    told = []
    known = [run.tokens for run in runs if run.tokens is not None]
    none = sum(int((_without(run.tokens) & run.good).sum()) for run in runs if run.tokens is not None)
    total = sum(len(each.first) for each in known)
    for limit, what, column in (
        (slo.first_token_ms, "got their first token late or not at all", "first"),
        (slo.per_token_ms, "got their further tokens too slowly", "per_token"),
    ):
        if limit is None or not total:
            continue
        times = np.concatenate([getattr(each, column) for each in known])
        if late := int((times > limit / 1e3).sum()) + (none if column == "first" else 0):
            told.append(f"{part_of(late, total, 'requests')} {what}")
    return told


def of_tokens(name: str, runs: Sequence[LoadRun]) -> Iterator[Event]:
    """Yield percentiles of the times of tokens, and a finding where the answers are shorter than recorded.

    Args:
        name: of the check that reports.
        runs: the finished runs; without times of tokens nothing is yielded.
    """
    known = [run.tokens for run in runs if run.tokens is not None]
    if not known:
        return
    for label, column in (
        ("time to first token", "first"), ("time per output token", "per_token"), ("time between parts", "gaps"),
    ):  # fmt: skip
        times = np.concatenate([getattr(each, column) for each in known])
        times = times[~np.isnan(times)]
        for percentile in (0.5, 0.99):
            if len(times):
                yield Measurement(name, SERVICE, f"{label} p{percentile * 100:g}", quantile(times, percentile), "s")
    answered = np.concatenate([~np.isnan(each.first) for each in known])
    lengths, reference = (np.concatenate([getattr(e, c) for e in known])[answered] for c in ("length", "reference"))
    guard = length_guard(lengths.tolist(), reference.tolist())
    if not guard.reference:
        return
    yield Measurement(name, SERVICE, "length relative to the reference", guard.share)
    if not guard.holds:
        yield Finding(
            name, SERVICE,
            f"Under load, the answers have {share(guard.share)} of the words of the recorded ones; "
            f"{share(guard.at_least)} are needed. Short answers are fast, so their times show nothing.",
            cause="short-answers",
            advice="Look for a limit of tokens that load lowers, for streams that are cut, and for an error that ends "
            "them.",
            evidence={"rows": int(answered.sum()), "words": guard.tokens, "reference": guard.reference},
        )  # fmt: skip
