"""Requests whose live answers differ, sent again alone: what is right then was wrong because others were in flight."""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.checks.serving.answers import key_text
from seatrial.checks.serving.comparison import ComparedAnswers, ServiceComparison, compare_rows
from seatrial.checks.serving.requests import BATCHES
from seatrial.checks.serving.service import LiveService

MOST = 10  # requests, or batches, that are sent again


def right_alone(
    comparison: ServiceComparison, service: LiveService, modes: Sequence[ComparedAnswers]
) -> frozenset[str]:
    """Return the columns that differ while several messages are in flight, and in none of those sent again alone.

    A message is one request, or the same batch of them.
    """
    size, several = comparison.trial.policy.golden.batch_size, frozenset[str]()
    for mode in modes:
        batched = mode.received.mode == BATCHES
        if mode.wrong and not (batched and len(comparison.keys) <= size):  # one batch was alone already
            several |= _right(comparison, service, mode, size if batched else 1)
    return several


def _right(comparison: ServiceComparison, service: LiveService, mode: ComparedAnswers, size: int) -> frozenset[str]:
    if service.ended() is not None or mode.received.unreachable:
        return frozenset()
    worst = list(dict.fromkeys(k for c in mode.recorded.columns if c.differs for k in c.worst_keys))
    place = {key_text(key): row for row, key in enumerate(comparison.keys)}
    begins = list(dict.fromkeys(place[key] // size * size for key in worst if key in place))[:MOST]
    wrong, answered = frozenset(mode.wrong), 0
    for begin in begins:
        rows = list(range(begin, min(begin + size, len(comparison.keys))))
        again = compare_rows(comparison, service, rows, size)
        if again.received.unreachable:
            return frozenset()
        if len(again.answers):
            answered += 1
            wrong -= frozenset(again.wrong)
    return wrong if answered else frozenset()
