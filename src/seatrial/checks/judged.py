"""Say where the values of a stage are not compared one by one."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.events import Finding, Severity
from seatrial.trial import Replay, Trial


def not_compared(
    trial: Trial, stage: str, check: str, replay: Replay = "isolated", place: str = ""
) -> Iterator[Finding]:
    """Yield the information that a check compares only the keys, columns and types of a stage, and why.

    Args:
        trial: the trial.
        stage: whose answers are compared.
        check: the check that reports.
        replay: which answers.
        place: where the finding belongs, if not to the stage.
    """
    if why := trial.noise(stage, replay).unjudged:
        yield Finding(
            check, place or stage, f"{why} Keys, columns and types are compared here.",
            severity=Severity.INFO, cause="sampled",
        )  # fmt: skip
