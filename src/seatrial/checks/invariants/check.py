"""Invariants: a stage gives the same answer for a key in every batch, in any order, again, and in a fresh process.

Every answer is compared with the stage replay, the answer to the recorded input in one batch, within the stage's own
tolerances and 65 ULP for floats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from zlib import crc32

import numpy as np

from seatrial.checks.base import Check, every_stage
from seatrial.checks.invariants.fresh import HASH_SEEDS, needs_model, replay_fresh, start, why_not_run
from seatrial.checks.invariants.judge import broken_invariant, empty_batch, failed_batch, retyped_columns, unrecorded
from seatrial.checks.invariants.reassembly import assemble, expected_of
from seatrial.checks.invariants.stage import StageProbe, cells
from seatrial.checks.invariants.variations import ORDER, PARTS, PROCESS, REPEAT, ROWS
from seatrial.errors import StageError
from seatrial.events import Evaluated, Event, Finding, NotEvaluated, Severity
from seatrial.trial import Trial

NAME = "invariants"


def run(trial: Trial, stage: str | None) -> Iterator[Event]:
    """Run one stage in every variation; each broken invariant is one finding with the columns that change.

    A column that is not repeatable is left out of the other variations: they would only report it again. A type that
    depends on the batch while the values agree is information, or a warning for categories.

    Raises:
        StageError: the stage raised on the whole input.
    """
    assert stage is not None
    start(trial, range(HASH_SEEDS))
    probe = StageProbe.of(trial, stage)
    if not len(probe.given):
        yield NotEvaluated(NAME, stage, "the reference has no rows for this stage")
        return
    compared, unstable = 0, frozenset[str]()
    retyped: dict[str, str] = {}
    for variation in (REPEAT, PARTS, ROWS, ORDER):
        rng = np.random.default_rng([trial.seed, crc32(f"{stage} {variation.cause}".encode())])
        batches = variation.batches(probe.given, rng)
        try:
            together, other_types = assemble(probe.again(batches), probe.answer)
        except StageError as error:
            yield failed_batch(NAME, probe, variation, error)
            compared += not unrecorded(error)
            continue
        expected = expected_of(probe.answer, probe.given, trial.pipeline.key, batches, together)
        parity = probe.parity(expected, together)
        compared += cells(parity)
        if finding := broken_invariant(NAME, probe, variation, parity, unstable):
            yield replace(finding, evidence={**finding.evidence, "batches_count": len(batches)})
        if variation is REPEAT:
            unstable = frozenset(c.column for c in parity.columns if not c.ok)
        retyped = {**other_types, **retyped}
    if retyped:
        yield retyped_columns(NAME, stage, retyped)
    yield from empty_batch(NAME, probe)
    for event in _fresh_processes(probe, unstable):
        if isinstance(event, Evaluated):
            compared += event.compared
        else:
            yield event
    yield Evaluated(NAME, stage, compared)


check = Check(NAME, run, every_stage, order=30, prepare=lambda trial: start(trial, [0]))


def _fresh_processes(probe: StageProbe, reported: frozenset[str]) -> Iterator[Event]:
    """Compare with the answers of fresh processes to the same input, up to the first that differs."""
    trial, stage = probe.trial, probe.stage
    if reason := why_not_run(trial, stage):
        if trial.pipeline.source or stage == trial.pipeline.stages[0]:
            yield Finding(NAME, stage, reason, severity=Severity.INFO, cause="process-not-run")
        return
    for number in range(1 if needs_model(trial, stage) else HASH_SEEDS):
        hash_seed, process = replay_fresh(trial, number)
        evidence = {"hash_seed": hash_seed}
        if reason := process.failed:
            yield NotEvaluated(NAME, stage, reason)
            return
        if stage in process.errors and unrecorded(process.errors[stage]):
            yield NotEvaluated(NAME, stage, f"the fresh process: {process.errors[stage].__cause__}")
            return
        if stage in process.errors:
            yield Evaluated(NAME, stage, 1)
            message = f"{process.errors[stage]} The stage succeeds in this process and fails in a fresh one."
            yield Finding(NAME, stage, message, cause=PROCESS.cause, advice=PROCESS.advice, evidence=evidence)
            return
        parity = probe.parity(probe.answer, process.frames[stage])
        yield Evaluated(NAME, stage, cells(parity))
        variation = replace(PROCESS, condition=f"{PROCESS.condition} with PYTHONHASHSEED={hash_seed}")
        if finding := broken_invariant(NAME, probe, variation, parity, reported):
            yield replace(finding, evidence={**finding.evidence, **evidence})
            return
