"""Say where the values of a stage are not compared one by one, and where not all rows are evaluated."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.events import Finding, Severity
from seatrial.formatting import part_of
from seatrial.reference.layout.pieces import Replay
from seatrial.trial import Trial


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


def of_sample(trial: Trial, stage: str, check: str, what: str, rows: int | None = None) -> Iterator[Finding]:
    """Yield how many rows of requests something was evaluated on, where the reference is in partitions.

    Args:
        trial: the trial.
        stage: whose rows they are.
        check: the check that reports.
        what: was evaluated, as the beginning of a sentence.
        rows: how many; by default those of the first partition.
    """
    if trial.partitioned is not None:
        count = len(trial.reference.requests) if rows is None else rows
        asked = part_of(count, trial.partitioned.manifest["requests"], "request rows")
        message = f"{what} on {asked}, drawn by the hash of their key."
        yield Finding(check, stage, message, severity=Severity.INFO, cause="first-partition")
