"""Requests whose live answers differ, sent again alone: what is right then was wrong because others were in flight."""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.checks.serving.answers import key_text
from seatrial.checks.serving.comparison import ComparedAnswers, ServiceComparison, compare_rows
from seatrial.checks.serving.service import LiveService

MOST = 10  # requests that are sent again


def right_alone(
    comparison: ServiceComparison, service: LiveService, modes: Sequence[ComparedAnswers]
) -> frozenset[str]:
    """Return the columns that differ while several requests are in flight, and in none of those sent again alone."""
    singles = next((mode for mode in modes if mode.received.mode == "one by one" and mode.wrong), None)
    if singles is None or service.ended() is not None or singles.received.unreachable:
        return frozenset()
    worst = list(dict.fromkeys(k for c in singles.recorded.columns if c.differs for k in c.worst_keys))
    place = {key_text(key): row for row, key in enumerate(comparison.keys)}
    rows = [place[key] for key in worst if key in place][:MOST]
    wrong = frozenset(singles.wrong)
    answered = 0
    for row in rows:
        again = compare_rows(comparison, service, [row])
        if again.received.unreachable:
            return frozenset()
        if len(again.answers):
            answered += 1
            wrong -= frozenset(again.wrong)
    return wrong if answered else frozenset()
