"""How often each stage may run: a stage that declares ``calls`` is dear, and its probes share what it allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seatrial.checks.invariants.seeds import HASH_SEEDS
from seatrial.checks.invariants.variations import ORDER, PARTS, PARTS_COUNT, PROCESS, REPEAT, ROWS, SAMPLE_REQUESTS
from seatrial.pipeline import Stage

CHAIN = "chain of "  # before the cause of a variation of the whole chain
EMPTY = "empty-batch"
SAMPLED = "sample"

# What a probe takes: the calls that it needs to say anything, and those that it uses where they are allowed. What tells
# most comes first.
_NEEDS: Mapping[str, tuple[int, int]] = {
    SAMPLED: (1, 1),
    REPEAT.cause: (1, 1),
    ROWS.cause: (1, SAMPLE_REQUESTS),
    PARTS.cause: (2, PARTS_COUNT),
    CHAIN + ROWS.cause: (1, SAMPLE_REQUESTS),
    PROCESS.cause: (1, HASH_SEEDS),
    ORDER.cause: (1, 1),
    CHAIN + PARTS.cause: (2, PARTS_COUNT),
    CHAIN + ORDER.cause: (1, 1),
    EMPTY: (1, 1),
}
_WORDS: Mapping[str, str] = {
    REPEAT.cause: "repeatability",
    ROWS.cause: "one request at a time",
    PARTS.cause: "in parts",
    PROCESS.cause: "a fresh process",
    ORDER.cause: "another order",
    EMPTY: "an input without rows",
}
_STEPS = 5  # calls that a probe gets more than it needs before the next one does


@dataclass(frozen=True)
class Calls:
    """How many calls each probe may make.

    Attributes:
        by_probe: the calls, by cause of the variation.
        declared: what the stage declares; None where it declares nothing.

    Example:
        >>> calls_of(Stage(len)).of(ROWS.cause), calls_of(Stage(len, calls=4)).of(ROWS.cause)
        (50, 1)
    """

    by_probe: Mapping[str, int]
    declared: int | None = None

    def of(self, probe: str) -> int:
        """Return the calls that a probe may make; 0 leaves it out."""
        return self.by_probe[probe]


def calls_of(stage: Stage, *, sampled: bool = False) -> Calls:
    """Share out the calls that a stage allows; without a declaration each probe makes as many as it uses.

    Args:
        stage: the stage.
        sampled: whether its answer to a sample has to be computed first.
    """
    needs = {probe: both for probe, both in _NEEDS.items() if sampled or probe != SAMPLED}
    if stage.calls is None:
        return Calls({SAMPLED: 0} | {probe: most for probe, (_, most) in needs.items()})
    left, given = stage.calls, dict.fromkeys(_NEEDS, 0)
    for probe, (least, _) in needs.items():
        if left >= least:
            given[probe], left = least, left - least
    while left and (more := [p for p, (_, most) in needs.items() if 0 < given[p] < most]):
        for probe in more:
            taken = min(_STEPS, left, needs[probe][1] - given[probe])
            given[probe], left = given[probe] + taken, left - taken
    return Calls(given, stage.calls)


def shortened(calls: Calls, stage: Stage) -> str:
    """Return what the calls of a stage leave out or shorten, in words; empty where they suffice for everything."""
    by_design = {ROWS.cause, PARTS.cause, ORDER.cause} if stage.batch_dependent else set()
    asked = [probe for probe in _WORDS if probe not in by_design]
    out = [_WORDS[probe] for probe in asked if not calls.of(probe)]
    fewer = ROWS.cause in asked and 0 < calls.of(ROWS.cause) < SAMPLE_REQUESTS
    parts = [f"not evaluated: {', '.join(out)}"] if out else []
    if fewer:
        parts.append(f"one request at a time for at most {calls.of(ROWS.cause)} of {SAMPLE_REQUESTS} requests")
    return "; ".join(parts)
