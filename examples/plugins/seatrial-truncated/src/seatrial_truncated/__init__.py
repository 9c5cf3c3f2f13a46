"""A dependency whose HTTP responses end in the middle, with status 200."""

from __future__ import annotations

from dataclasses import dataclass, replace

from seatrial.faults.messages import HttpResponse
from seatrial.faults.responses import ResponseFault, chosen
from seatrial.faults.scenario import Scenario, TimeoutPolicy


@dataclass(frozen=True, kw_only=True)
class Truncated(ResponseFault):
    """Cut the body of ``share`` of the responses in half."""

    def change(self, response: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the response with half of its body; None where there is nothing to cut or it is not hit."""
        if len(response.body) < 2 or not chosen(str(number), self.share, seed):
            return None
        return replace(response, body=response.body[: len(response.body) // 2])


def truncated(_: TimeoutPolicy) -> Scenario:
    """Every response ends in the middle."""
    return Scenario("truncated", Truncated())
