"""Expectations: replay each stage on its recorded input and compare its answer with the recorded one.

The kernel compares the whole frame in one pass; a checkpoint then validates its parity frame, one row a feature, so its
cost does not grow with the rows. A user's own expectations run on the real frame. A dependency declared as live
receives its recorded calls again, and its answers are compared too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seatrial.checks.base import Check
from seatrial.checks.expectations.agreement import judge_agreement
from seatrial.checks.expectations.dependencies import compare_live
from seatrial.checks.gx.judge import judge
from seatrial.checks.gx.runner import warm_up
from seatrial.events import Event
from seatrial.trial import Trial

__all__ = ["check", "judge", "warm_up"]

NAME = "expectations"


def run(trial: Trial, place: str | None) -> Iterator[Event]:
    """Evaluate a stage replay, or the current answers of a live dependency."""
    assert place is not None
    if place in trial.pipeline.stages and trial.pipeline.stage(place).samples is not None:
        yield from judge_agreement(trial, place, NAME)
    elif place in trial.pipeline.stages:
        yield from judge(trial, place, name=NAME)
    else:
        yield from compare_live(trial, place, NAME)


def places(trial: Trial) -> Sequence[str]:
    """Return every stage, and each live dependency before the first stage that calls it."""
    path = trial.pipeline.path
    uncalled = [name for name in trial.live if name not in path]
    return [*uncalled, *(p for p in path if p in trial.pipeline.stages or p in trial.live)]


check = Check(NAME, run=run, stages=places, order=10, reusable=True)
