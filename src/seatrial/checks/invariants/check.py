"""Invariants: a stage gives the same answer for a request in every batch, in any order, again, and in a fresh process.

Each stage is asked alone, on its recorded input, and the chain of stages together, each on the frame before it. Answers
are compared with those in one batch, within the stage's own tolerances and ``ULP`` for floats. Batches are cut between
requests, and sampled, so that the cost is bounded whatever the size of the reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from seatrial.checks.base import Check, every_stage
from seatrial.checks.invariants.alone import StageResult, of_stage
from seatrial.checks.invariants.calls import calls_of, shortened
from seatrial.checks.invariants.chain import of_chain
from seatrial.checks.invariants.fresh import needs_model, replay_fresh, start, why_not_run
from seatrial.checks.invariants.judge import broken_invariant, unrecorded
from seatrial.checks.invariants.seeds import hash_seeds
from seatrial.checks.invariants.stage import StageProbe, cells
from seatrial.checks.invariants.variations import PROCESS
from seatrial.checks.judged import not_compared, of_sample
from seatrial.events import Evaluated, Event, Finding, NotEvaluated, Severity
from seatrial.trial import Trial

NAME = "invariants"


def run(trial: Trial, stage: str | None) -> Iterator[Event]:
    """Run one stage in every variation, and after the last stage the chain of them.

    Each broken invariant is one finding with the columns that change; another variation in which the same columns
    change is added to it. A column that is not repeatable is left out of the other variations: they would only report
    it again. A type that depends on the batch while the values agree is information, or a warning for categories.

    Raises:
        StageError: the stage raised on the whole input.
    """
    assert stage is not None
    start(trial, range(len(hash_seeds(trial.seed))))
    result = of_stage(trial, NAME, stage)
    yield from result.events
    if result.probe is None:
        return
    yield from _declared(trial, stage, sampled=result.probe.asked.sampled)
    yield from not_compared(trial, stage, NAME)
    yield from of_sample(trial, stage, NAME, f"Stage '{stage}' was asked again")
    compared = result.compared
    further = [_fresh_processes(result.probe, result)]
    if stage == trial.pipeline.stages[-1]:
        further.append(of_chain(trial, NAME))
    for events in further:
        for event in events:
            if isinstance(event, Evaluated):
                compared += event.compared
            else:
                yield event
    yield Evaluated(NAME, stage, compared)


check = Check(
    NAME, run, every_stage, order=30, prepare=lambda trial: start(trial, [0]), explains=True, reusable=True
)  # fmt: skip


def _declared(trial: Trial, stage: str, *, sampled: bool) -> Iterator[Finding]:
    """Yield what was not judged because the stage declares that it depends on the batch, or that a call is dear."""
    declared = trial.pipeline.stage(stage)
    if why := declared.batch_dependent:
        yield Finding(
            NAME, stage,
            f"Stage '{stage}' may depend on the other rows of a batch: {why.rstrip('.')}. Whether its answers are the "
            "same in other batches, one request at a time and in another order was not judged.",
            severity=Severity.INFO, cause="batch-dependent-by-design",
            advice=f"Remove batch_dependent= of Stage '{stage}' to have it judged.",
        )  # fmt: skip
    if declared.calls is not None and (detail := shortened(calls_of(declared, sampled=sampled), declared)):
        yield Finding(
            NAME, stage, f"Stage '{stage}' allows {declared.calls:,} calls, which its probes share: {detail}.",
            severity=Severity.INFO, cause="calls", evidence={"calls": declared.calls},
            advice=f"Raise calls= of Stage '{stage}' to include that.",
        )  # fmt: skip


def _fresh_processes(probe: StageProbe, result: StageResult) -> Iterator[Event]:
    """Compare with the answers of fresh processes to the same input, up to the first that differs."""
    trial, stage = probe.trial, probe.stage
    if reason := why_not_run(trial, stage):
        if trial.pipeline.source or stage == trial.pipeline.stages[0]:
            yield Finding(NAME, stage, reason, severity=Severity.INFO, cause="process-not-run")
        return
    allowed = calls_of(trial.pipeline.stage(stage), sampled=probe.asked.sampled).of(PROCESS.cause)
    for number in range(min(allowed, 1) if needs_model(trial, stage) else allowed):
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
        if finding := broken_invariant(NAME, probe, variation, parity, result.unstable):
            yield replace(finding, evidence={**finding.evidence, **evidence})
            return
