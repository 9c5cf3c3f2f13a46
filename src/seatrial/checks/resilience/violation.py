"""A criterion of resilience that does not hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from seatrial.formatting import part_of


@dataclass(frozen=True)
class Violation:
    """A criterion that does not hold; ``evaluated`` is False where this could not be decided.

    Attributes:
        criterion: its name, one of ``criteria.CRITERIA``.
        message: a clause without its subject where there is a count, such as ``got a 5xx status``.
        count: how many violate the criterion.
        of: how many were compared; 0 where the message is a clause by itself.
        noun: what was counted, in the plural.
        evidence: numbers for the finding.
        timed: whether it is about time, so that one stall of the machine can violate it.
    """

    criterion: str
    message: str
    count: int = 0
    of: int = 0
    noun: str = "requests"
    evaluated: bool = True
    evidence: dict[str, Any] = field(default_factory=dict)
    timed: bool = False

    @property
    def clause(self) -> str:
        """The whole clause, such as ``3 of 125 requests (2.4 %) got a 5xx status``."""
        return f"{part_of(self.count, self.of, self.noun)} {self.message}" if self.of else self.message
