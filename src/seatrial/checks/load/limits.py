"""A rate limit of the service, told by its answers under load: status 429, and Retry-After where it was sent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seatrial.events import Finding, Severity
from seatrial.formatting import part_of, seconds
from seatrial.loadgen.results import LoadRun
from seatrial.pipeline import SERVICE
from seatrial.targets.pacing import RATE_LIMIT

OUTCOME = f"status {RATE_LIMIT}"
ADVICE = (
    "Ask the people who run the service for a higher limit of the client that is tested, or set rate in [slo] of "
    "service.toml to what it accepts."
)


@dataclass(frozen=True)
class RateLimit:
    """Answers that refused a request because there were too many.

    Attributes:
        count: of them.
        total: the number of requests.
        waits: what their ``Retry-After`` asked for: seconds, or the text of a date.
    """

    count: int
    total: int
    waits: tuple[str, ...]

    @property
    def longest_seconds(self) -> float | None:
        """The longest wait that was asked for in seconds; None where there was none."""
        return max((float(each) for each in self.waits if _is_seconds(each)), default=None)

    @property
    def clause(self) -> str:
        """How many there were and what they asked for, without a full stop.

        Example:
            >>> RateLimit(50, 2_000, ("3",)).clause
            "50 of 2,000 requests (2.5 %) were refused with status 429, and 'Retry-After' asked to wait up to 3.0 s"
        """
        longest = self.longest_seconds
        if longest is not None:
            asked = f"'Retry-After' asked to wait up to {seconds(longest)}"
        else:
            asked = "'Retry-After' named a date" if self.waits else "no 'Retry-After' said for how long"
        return f"{part_of(self.count, self.total, 'requests')} were refused with status {RATE_LIMIT}, and {asked}"

    @property
    def evidence(self) -> dict[str, Any]:
        """Numbers for a finding."""
        longest = self.longest_seconds
        return {} if longest is None else {"retry_after_seconds": longest}

    def remark(self, name: str) -> Finding:
        """Return the finding of a service that refused some requests and was not found to miss its objective."""
        return Finding(
            name, SERVICE, f"The service limits the rate of requests: {self.clause}.", severity=Severity.INFO,
            cause="rate-limit", advice=ADVICE, evidence={"rows": self.total, OUTCOME: self.count, **self.evidence},
        )  # fmt: skip


def rate_limit(runs: Sequence[LoadRun]) -> RateLimit | None:
    """Return what the answers of all runs say of a rate limit; None where none does."""
    count = sum(int((run.status == RATE_LIMIT).sum()) for run in runs)
    waits = dict.fromkeys(text for run in runs for text in run.retry_after)
    return RateLimit(count, sum(len(run) for run in runs), tuple(waits)) if count else None


def _is_seconds(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and float(text) >= 0
    except ValueError:
        return False
