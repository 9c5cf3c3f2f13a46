"""A dependency whose HTTP answers end in the middle, with status 200."""

from __future__ import annotations

from dataclasses import dataclass, replace

from seatrial.faults.messages import HttpResponse
from seatrial.faults.responses import AnswerFault, chosen
from seatrial.faults.scenario import Scenario, TimeoutPolicy


@dataclass(frozen=True, kw_only=True)
class Truncated(AnswerFault):
    """Cut the body of ``share`` of the answers in half."""

    def change(self, answer: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the answer with half of its body; None where there is nothing to cut or it is not hit."""
        if len(answer.body) < 2 or not chosen(str(number), self.share, seed):
            return None
        return replace(answer, body=answer.body[: len(answer.body) // 2])


def truncated(_: TimeoutPolicy) -> Scenario:
    """Every answer ends in the middle."""
    return Scenario("truncated", Truncated())
