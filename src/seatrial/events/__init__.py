"""The result of a run: a stream of events, and the verdict that sums them up."""

from seatrial.events.event import (
    Attachment,
    Case,
    Evaluated,
    Event,
    Finding,
    Measurement,
    NotEvaluated,
    Severity,
)
from seatrial.events.total import total
from seatrial.events.verdict import Outcome, Subject, Verdict

__all__ = [
    "Attachment", "Case", "Evaluated", "Event", "Finding", "Measurement", "NotEvaluated", "Outcome", "Severity",
    "Subject", "Verdict", "total",
]  # fmt: skip
