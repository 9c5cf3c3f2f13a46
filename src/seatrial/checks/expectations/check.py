"""Expectations: does each stage, given what training gave it, still make of it what training saw?

The kernel compares the whole frame in one pass; a checkpoint then judges its parity frame, one row a feature, so its
cost does not grow with the rows. A user's own expectations run on the real frame. Dependencies named live are
asked again for everything they answered at capture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seatrial.checks.base import Check
from seatrial.checks.expectations.dependencies import ask_live
from seatrial.checks.gx.judge import judge
from seatrial.checks.gx.runner import warm_up
from seatrial.events import Event
from seatrial.trial import Trial

__all__ = ["check", "judge", "warm_up"]

NAME = "expectations"


def run(trial: Trial, place: str | None) -> Iterator[Event]:
    """Judge a stage's isolated replay, or a live dependency's answers of today."""
    assert place is not None
    if place in trial.pipeline.stages:
        yield from judge(trial, place, name=NAME)
    else:
        yield from ask_live(trial, place, NAME)


def places(trial: Trial) -> Sequence[str]:
    """Return every stage, and each live dependency before the first stage that asks it."""
    path = trial.pipeline.path
    unasked = [name for name in trial.live if name not in path]
    return [*unasked, *(p for p in path if p in trial.pipeline.stages or p in trial.live)]


check = Check(NAME, run=run, stages=places, order=10)
