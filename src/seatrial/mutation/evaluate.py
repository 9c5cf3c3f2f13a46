"""What a reference and a policy detect of one mutant, whose stages run in a process of its own.

First the comparison: a mutant is killed by the first stage whose result does not match the reference, in the stage
replay and then in the end-to-end replay. The checkpoint of the expectations check evaluates the same comparison, and
that check is an error wherever the two disagree. A mutant that the comparison does not detect is compared with the
original pipeline bit by bit, on the reference and on the candidates: where nothing differs it is equivalent. Otherwise
the checks themselves are run on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from seatrial import checks
from seatrial.checks.engine import plan, run_case, verdict_of
from seatrial.errors import SeatrialError, StageError
from seatrial.events import Outcome, Severity, Verdict
from seatrial.mutation.altered import Inapplicable
from seatrial.mutation.candidates import Candidates
from seatrial.mutation.equivalence import differing
from seatrial.mutation.inputs import stage_inputs
from seatrial.mutation.mutants import FrameMutant, Mutant
from seatrial.mutation.results import EQUIVALENT, INAPPLICABLE, KILLED, STILLBORN, SURVIVED
from seatrial.parity.agreement.choose import applicable
from seatrial.parity.compare import compare
from seatrial.parity.reading import column
from seatrial.parity.result import Parity
from seatrial.pipeline import Pipeline, Replayer
from seatrial.policy.policy import Policy
from seatrial.reference.snapshot import Reference
from seatrial.trial import Trial

CHECKS = ("expectations", "golden", "invariants")  # that need no service
UNDETECTED = "undetected"  # neither replay shows a difference
CHAIN_ONLY = "chain_only"  # the end-to-end replay alone shows a difference; the golden check names its stage
MOST_ROWS = 5  # recorded of those in which a survivor differs
Report = Callable[[str], None]


@dataclass(frozen=True)
class MutationContext:
    """Everything that evaluating a mutant needs, besides what runs its stages.

    Attributes:
        pipeline: without a mutant, its service and its file.
        reference: what training recorded.
        policy: what must hold.
        candidates: rows beyond the reference, if any.
        seed: of the checks.
    """

    pipeline: Pipeline
    reference: Reference
    policy: Policy
    candidates: Candidates | None = None
    seed: int = 0

    def trial(self, pipeline: Pipeline, replayer: Replayer) -> Trial:
        """Return a trial of a pipeline on the reference."""
        return Trial(pipeline, self.reference, policy=self.policy, seed=self.seed, replayer=replayer)


def by_comparison(context: MutationContext, replayer: Replayer, mutant: Mutant, report: Report) -> dict[str, Any]:
    """Return what the comparison shows: killed, stillborn, inapplicable, undetected or chain_only.

    Args:
        context: of the mutation test.
        replayer: runs the stages; no mutant was applied to it before.
        mutant: any.
        report: is called with what is being done.
    """
    try:
        replayer, pipeline = mutant.apply(replayer, context.pipeline)
        trial = context.trial(pipeline, replayer)
    except SeatrialError as error:  # a mutant that does not load was never evaluated
        return {"outcome": STILLBORN, "reason": f"it raises {error} while it loads"}
    return _stage_replays(trial, mutant, report) or _end_to_end(trial, report)


def _stage_replays(trial: Trial, mutant: Mutant, report: Report) -> dict[str, Any] | None:
    for stage in mutant.stages:
        report(stage)
        try:
            parity = trial.parity(stage)
        except StageError as error:
            if _inapplicable(error):
                return {"outcome": INAPPLICABLE, "reason": "its operator cannot be applied to the frame"}
            return {"outcome": KILLED, "stage": error.stage, "reason": str(error)}
        if not parity.ok:
            bad = next((c.column for c in parity.columns if not c.ok), "its keys or columns")
            return {"outcome": KILLED, "stage": stage, "reason": f"{bad} differs"}
    return None


def _end_to_end(trial: Trial, report: Report) -> dict[str, Any]:
    for stage in trial.pipeline.stages:
        report(stage)
        try:
            if not trial.parity(stage, "chained").ok:
                return {"outcome": CHAIN_ONLY}
        except StageError:
            return {"outcome": CHAIN_ONLY}
    return {"outcome": UNDETECTED}


def by_checks(
    context: MutationContext, replayer: Replayer, mutant: Mutant, report: Report, *, chain_only: bool = False
) -> dict[str, Any]:
    """Return the outcome of a mutant that the stage replays did not detect: equivalent, killed or survived.

    Args:
        context: of the mutation test.
        replayer: runs the stages; no mutant was applied to it before.
        mutant: one that the comparison did not kill.
        report: is called with what is being done.
        chain_only: the end-to-end replay showed a difference.
    """
    report("rows beyond the reference")
    inputs = list(stage_inputs(context.pipeline, mutant.stages, context.reference, context.candidates))
    before = [i.results(replayer) for i in inputs]
    replayer, pipeline = mutant.apply(replayer, context.pipeline)
    differences: list[str] = []
    killers: set[int] = set()
    for given, originals in zip(inputs, before, strict=True):
        changed = given.results(replayer)
        key = pipeline.key_of(given.stage)
        found = [d for x, y in zip(originals, changed, strict=True) if (d := differing(x, y, key))]
        if found:
            rows = sum(len(d.keys) for d in found)
            differences.append(f"{given.what}: {found[0].what}{f' ({rows:,} rows)' if rows else ''}")
            by_policy = partial(_parity, context, given.stage)
            killers |= {n for x, y in zip(originals, changed, strict=True) for n in given.killers(x, y, by_policy)}
    if not differences and not chain_only:
        return {"outcome": EQUIVALENT}
    report("checks")
    verdict = verdict_on(context, replayer, pipeline, _remaining_checks(context, mutant, chain_only=chain_only))
    if verdict.outcome is not Outcome.PASS:
        return {"outcome": KILLED, "stage": verdict.first_failing_stage, "reason": verdict.summary}
    warnings = sorted({f.message for f in verdict.findings if f.severity is Severity.WARNING})
    return {
        "outcome": SURVIVED, "differences": differences, "killers": sorted(killers)[:MOST_ROWS], "warnings": warnings,
    }  # fmt: skip


def verdict_on(context: MutationContext, replayer: Replayer, pipeline: Pipeline, names: Sequence[str]) -> Verdict:
    """Run checks and return their verdict, which says nothing where the process of the stages ended meanwhile."""
    with context.trial(pipeline, replayer) as trial:
        planned = plan(checks.named(names), trial)
        events = [event for check, case in planned for event in run_case(check, trial, case)]
    return verdict_of(events, trial, [case for _, case in planned])


def _remaining_checks(context: MutationContext, mutant: Mutant, *, chain_only: bool) -> list[str]:
    """Return the checks that can still detect a mutant which the stage replays did not.

    A frame mutant is applied to each batch anew, which invariants would report and which is no part of the mutant.
    """
    own = any(context.policy.of(stage).expectations for stage in mutant.stages)
    checks = ["expectations"] if own or chain_only else []
    return [*checks, "golden", *([] if isinstance(mutant, FrameMutant) else ["invariants"])]


def _parity(context: MutationContext, stage: str, original: pd.DataFrame, changed: pd.DataFrame) -> Parity:
    own = context.policy.of(stage).tolerances
    return compare(
        original, changed, worst=MOST_ROWS, distributions=False, **context.pipeline.rows_of(stage),
        tolerances=applicable(
            own, [c for c in original.columns if c not in context.pipeline.key_of(stage)], lambda c: column(original[c])
        ),
    )  # fmt: skip


def original(context: MutationContext, replayer: Replayer, _: None, report: Report) -> dict[str, Any]:
    """Run every check on the unchanged pipeline: a check that fails without a mutant cannot detect one."""
    report("checks")
    verdict = verdict_on(context, replayer, context.pipeline, CHECKS)
    return {"outcome": verdict.outcome.value, "reason": verdict.summary}


def _inapplicable(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, Inapplicable):
            return True
        error = error.__cause__
    return False
