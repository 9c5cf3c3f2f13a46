"""Streamed answers of the live service: equal to those that are not streamed, whole in form, and measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from seatrial.checks.findings import differences
from seatrial.checks.serving.answers import key_ids, key_text
from seatrial.checks.serving.chat import chat_findings
from seatrial.checks.serving.comparison import ServiceComparison, compare_rows
from seatrial.checks.serving.requests import NAMED
from seatrial.checks.serving.service import LiveService
from seatrial.errors import AnswerError, TargetError
from seatrial.events import Event, Finding, Measurement, NotEvaluated
from seatrial.formatting import part_of, plural
from seatrial.io import frame_json
from seatrial.loadgen.tokens import time_per_output_token, time_to_first_token
from seatrial.pipeline import SERVICE
from seatrial.targets.messages import Response
from seatrial.targets.rest import with_keys
from seatrial.targets.shapes.openai import OpenAIChat, Streamed

MOST = 50  # requests that are streamed
HOW = "streamed"


def streamed_answers(name: str, comparison: ServiceComparison, service: LiveService) -> Iterator[Event]:
    """Stream a sample of the requests of a chat service, and yield what their answers show.

    Args:
        name: of the check.
        comparison: what is expected of the service.
        service: the live service; nothing is streamed from another than one of chats.
    """
    target = service.target
    if not isinstance(target, OpenAIChat) or service.ended() is not None:
        return
    drawn = np.random.default_rng(comparison.trial.seed).permutation(len(comparison.keys))[:MOST]
    rows = sorted(int(n) for n in drawn if len(comparison.rows[int(n)]) == 1)
    requests = comparison.requests.iloc[[comparison.rows[n][0] for n in rows]]
    outcomes = target.exchange_streamed(requests)
    keys = [comparison.keys[n] for n in rows]
    good = [(row, key, o) for row, key, o in zip(rows, keys, outcomes, strict=True) if isinstance(o, Streamed)]
    yield from _failures(name, list(zip(keys, outcomes, strict=True)))
    yield Measurement(name, SERVICE, "answers streamed", len(good), "rows")
    if not good:
        return
    bodies = dict(zip(rows, target.bodies(requests), strict=True))
    asked = [(key, bodies[row], each.answer) for row, key, each in good]
    yield from chat_findings(name, asked, how=HOW, causes=("stream-form", "finish-reason"))
    yield from _compared(name, comparison, service, good)
    yield from _times(name, [each for *_, each in good])


def _failures(name: str, outcomes: Sequence[tuple[Any, Any]]) -> Iterator[Event]:
    failed: dict[tuple[str, str], list[Any]] = {}
    unsent = 0
    for key, outcome in outcomes:
        if isinstance(outcome, Response):
            failed.setdefault((f"status-{outcome.status}", f"The service answered {outcome.status}."), []).append(key)
        elif isinstance(outcome, AnswerError):
            failed.setdefault(("stream-form", str(outcome)), []).append(key)
        elif not isinstance(outcome, Streamed):
            unsent += 1
    for (cause, message), keys in failed.items():
        yield Finding(
            name, SERVICE,
            f"Requests sent {HOW}: {part_of(len(keys), len(outcomes), 'requests')} got no usable answer. {message}",
            cause=cause, advice='Send one of these requests by hand with "stream": true and read the service\'s log.',
            evidence={"rows": len(outcomes), "missing": len(keys), "keys": [key_text(k) for k in keys[:NAMED]]},
        )  # fmt: skip
    if unsent:
        reason = next((str(o) for _, o in outcomes if isinstance(o, TargetError)), "Earlier ones got no answer.")
        yield NotEvaluated(
            name, SERVICE, f"{part_of(unsent, len(outcomes), 'requests')} could not be streamed. {reason}"
        )


def _compared(
    name: str, comparison: ServiceComparison, service: LiveService, good: Sequence[tuple[int, Any, Streamed]]
) -> Iterator[Event]:
    """Compare with the same requests, sent again without a stream; what they answer twice must be the same."""
    rows = [row for row, *_ in good]
    first, second = (compare_rows(comparison, service, rows).answers for _ in range(2))
    key = comparison.trial.pipeline.key
    told = with_keys([each.answer.row for *_, each in good], [k for _, k, _ in good], key)
    streamed = frame_json.read(told, comparison.recorded)
    streamed = streamed[[c for c in streamed.columns if c in {*first.columns}]]
    both = {*key_ids(first, key)} & {*key_ids(second, key)} & {*key_ids(streamed, key)}
    first, second, streamed = (_of(frame, both, key) for frame in (first, second, streamed))
    if not len(streamed):
        return
    yield Measurement(name, SERVICE, "streamed answers compared", len(streamed), "rows")
    again = comparison.compare(first, second, recorded=False)
    unsteady = {c.column for c in again.columns if not c.ok}
    for finding in differences(name, SERVICE, comparison.compare(first, streamed, recorded=False)):
        if finding.cause in ("row-order", "column-order") or finding.column in unsteady:
            continue
        cause = "finish-reason" if finding.column == "finish_reason" else "stream-differs"
        yield replace(
            finding, cause=cause, message=f"Requests sent {HOW}, beside the same sent whole: {finding.message}",
            advice="Compare both answers to one of the keys in the evidence. Both ways should end in the same code.",
        )  # fmt: skip
    if unsteady:
        yield NotEvaluated(
            name, SERVICE,
            f"Whether streamed answers equal the others was not evaluated in {', '.join(sorted(unsteady))}: sent twice "
            f"without a stream, {plural(len(first), 'request')} got different answers. Record requests with a "
            "temperature of 0 or a seed.",
        )  # fmt: skip


def _times(name: str, good: Sequence[Streamed]) -> Iterator[Measurement]:
    events = [each.times for each in good]
    tokens = [each.answer.tokens or len(each.times) for each in good]
    first = time_to_first_token([0.0] * len(events), events)
    for label, values in (
        ("time to first token, median", first), ("time per output token, median", time_per_output_token(events, tokens))
    ):  # fmt: skip
        if not np.isnan(values).all():
            yield Measurement(name, SERVICE, label, round(float(np.nanmedian(values)), 6), "s")


def _of(frame: pd.DataFrame, keys: set[Any], key: Any) -> pd.DataFrame:
    return frame[np.array([k in keys for k in key_ids(frame, key)], dtype=bool)].reset_index(drop=True)
