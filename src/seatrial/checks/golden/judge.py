"""Decide where a difference of the end-to-end replay originates: in a stage by itself, or at a stage hand-off."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.checks.golden.origin import differences_of, made_by, origin_of, repeats
from seatrial.errors import StageError
from seatrial.events import Evaluated, Event, Finding, NotEvaluated
from seatrial.formatting import part_of
from seatrial.parity.result import Parity
from seatrial.trial import Trial

_FLAKY = "Look for an unseeded random choice, a clock, or state kept between two calls."


def hand_off_finding(name: str, trial: Trial, stage: str, parity: Parity) -> Finding:
    """Return the finding of a stage that matches in its stage replay and differs in the end-to-end replay."""
    worst = max((c for c in parity.columns if not c.ok), key=lambda c: c.mismatches + c.null_flips, default=None)
    difference = (
        f"column '{worst.column}' differs in {part_of(worst.mismatches + worst.null_flips, worst.rows)}"
        if worst
        else "keys or columns differ"
    )
    evidence = (
        {"rows": worst.rows, "mismatches": worst.mismatches, "null_flips": worst.null_flips,
         "keys": list(worst.worst_keys)}
        if worst
        else {"rows": parity.rows_expected}
    )  # fmt: skip
    before = trial.pipeline.before(stage)
    if before is None or not repeats(trial, stage):
        return Finding(
            name, stage,
            f"Stage '{stage}' gives different answers to the same requests when it runs again: {difference}.",
            column=worst.column if worst else None, cause="not-repeatable", evidence=evidence, advice=_FLAKY,
        )  # fmt: skip
    place = made_by(trial, before) or stage
    return Finding(
        name, place,
        f"Stage '{stage}' matches the reference on its recorded input and differs on the frame that '{before}' "
        f"returns: {difference}. {_frames_compared(trial, before)}",
        column=worst.column if worst and place == stage else None, cause="hand-off", evidence=evidence,
        advice=f"Make '{stage}' independent of this property of its input, or make "
        f"'{before if place == stage else place}' return it as it did at capture.",
    )  # fmt: skip


def stage_failed(name: str, trial: Trial, stage: str, error: StageError) -> Iterator[Event]:
    """Yield the events of a stage that raised in the end-to-end replay, or that an earlier stage kept from running."""
    if error.stage != stage:
        yield Finding(
            name, stage, f"Stage '{stage}' was not reached, because stage '{error.stage}' failed before it.",
            cause="not-reached", downstream=True, advice=f"Repair '{error.stage}' first.",
            evidence={"origin": origin_of(trial, error.stage) or error.stage},
        )  # fmt: skip
        yield NotEvaluated(name, stage, f"stage '{stage}' was not reached, because stage '{error.stage}' failed")
        return
    before = trial.pipeline.before(stage)
    at_hand_off = before is not None and origin_of(trial, stage) is None
    if at_hand_off and not repeats(trial, stage):
        message = f"{str(error).rstrip('.')}. The same stage succeeds when it runs again."
        yield Finding(name, stage, message, cause="not-repeatable", advice=_FLAKY)
        yield Evaluated(name, stage, compared=1)
        return
    detail = f" Its stage replay succeeds. {_frames_compared(trial, before)}" if at_hand_off and before else ""
    place = (made_by(trial, before) if at_hand_off and before else None) or stage
    yield Finding(
        name, place, str(error).rstrip(".") + "." + detail,
        cause="hand-off" if at_hand_off else "stage-broke", downstream=not at_hand_off,
        evidence={} if at_hand_off else {"origin": origin_of(trial, stage) or stage},
        advice=f"Run '{stage}' on the frame that '{before}' returns, not on a stored copy of it."
        if at_hand_off
        else "Start with the stage replay: the stage fails there too, or an earlier stage differs.",
    )  # fmt: skip
    yield Evaluated(name, stage, compared=1)


def _frames_compared(trial: Trial, before: str) -> str:
    found = differences_of(trial, before, "chained")
    if not found:
        return "No difference between the recorded frame and this one was found."
    return f"Differences between the recorded frame and this one: {'; '.join(found)}."
