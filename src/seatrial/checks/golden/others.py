"""Live answers with the key of another request: a finding for each way of sending, and whether they are right alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seatrial.checks.golden.alone import MOST
from seatrial.checks.serving.answers import key_id, key_text
from seatrial.checks.serving.comparison import ComparedAnswers, ServiceComparison, compare_rows
from seatrial.checks.serving.requests import BATCHES, NAMED
from seatrial.checks.serving.service import LiveService
from seatrial.events import Finding
from seatrial.formatting import part_of
from seatrial.pipeline import SERVICE

CAUSE = "other-request"


def answers_of_others(
    name: str, comparison: ServiceComparison, service: LiveService, modes: Sequence[ComparedAnswers]
) -> Iterator[Finding]:
    """Yield what the service answered with the key of another request than the one that was asked.

    Args:
        name: of the check.
        comparison: what is expected of the service.
        service: asked again, one request at a time, where they were several at once.
        modes: its answers, by the way the requests were sent.
    """
    for mode in modes:
        others = mode.received.others
        if not others:
            continue
        message = (
            f"Requests sent {mode.received.mode}: "
            f"{part_of(len(others), len(others) + len(mode.answers), 'answers')} have the key of another request than "
            "the one that was asked."
        )
        advice = "Look for what answers are matched to requests by: a shared variable, a cache's key, an order of rows."
        if mode.received.mode != BATCHES and _own_alone(comparison, service, mode):
            message += " Sent again, one at a time, the same requests get answers with their own keys."
            advice = (
                "Look for state that concurrent requests share: a module variable, a buffer that is used again, or a "
                "queue whose answers are taken by whoever waits first."
            )
        yield Finding(
            name, SERVICE, message, cause=CAUSE, advice=advice,
            evidence={
                "rows": len(others) + len(mode.answers), "mismatches": len(others), "mode": mode.received.mode,
                "keys": [key_text(other.asked) for other in others[:NAMED]],
                "answered_keys": [key_text(other.answered) for other in others[:NAMED]],
            },
        )  # fmt: skip


def _own_alone(comparison: ServiceComparison, service: LiveService, mode: ComparedAnswers) -> bool:
    """Whether the requests get answers of their own where none other is in flight."""
    if service.ended() is not None or mode.received.unreachable:
        return False
    place = {key_id(key): row for row, key in enumerate(comparison.keys)}
    rows = [place[key_id(other.asked)] for other in mode.received.others[:MOST]]
    again = [compare_rows(comparison, service, [row]).received for row in rows]
    return all(each.answers and not each.others for each in again)
