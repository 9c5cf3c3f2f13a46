"""A fault scenario: one row of the resilience matrix."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.faults.network import Fault
from seatrial.faults.responses import AnswerFault


@dataclass(frozen=True)
class Scenario:
    """One fault.

    Attributes:
        name: as service.toml names it.
        fault: what is placed.
        whole: answers must stay whole, nothing is lost yet.
        waits: whoever asks waits for the whole time-out, so that a lasting fault must be left alone.
    """

    name: str
    fault: Fault | AnswerFault
    whole: bool = False
    waits: bool = False
