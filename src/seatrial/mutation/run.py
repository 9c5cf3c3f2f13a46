"""Run a mutation test: evaluate every mutant against the reference and the policy, and sum up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from seatrial.errors import SeatrialError, UsageError, unknown
from seatrial.events import Outcome
from seatrial.mutation import candidates as beyond
from seatrial.mutation import evaluate
from seatrial.mutation.code_changes import code_changes
from seatrial.mutation.evaluate import MutationContext
from seatrial.mutation.forks import ForkServer
from seatrial.mutation.literals import Literal, literals_of
from seatrial.mutation.mutants import CodeMutant, FrameMutant, Mutant, bare
from seatrial.mutation.opening import fork_server, opened
from seatrial.mutation.operators.frames import applicable_operators
from seatrial.mutation.pool import Evaluation, Opener, Status, run_each
from seatrial.mutation.results import KILLED, SURVIVED, MutantResult, MutationReport
from seatrial.pipeline import Pipeline, Replayer
from seatrial.policy.policy import Policy
from seatrial.reference.snapshot import Reference
from seatrial.worker.reachability import Reached

KINDS = ("code", "frame")
ROWS = 20_000  # beyond the reference, on which an equivalent mutant changes nothing
SECONDS = 120.0  # for the stages of one mutant at most; an endless loop ends then
LEAST_SECONDS = 10.0  # that they may take however fast the pipeline is
OnProgress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many


def run_mutation_test(
    pipeline: Pipeline,
    reference: Reference,
    *,
    model: Any = None,
    policy: Policy | None = None,
    kinds: Sequence[str] = KINDS,
    mutants: Sequence[Mutant] | None = None,
    sample: int | None = None,
    rows: int = ROWS,
    minimum: float | None = None,
    seconds: float = SECONDS,
    jobs: int = 0,
    seed: int = 0,
    server: ForkServer | None = None,
    on_progress: OnProgress = lambda *_: None,
) -> MutationReport:
    """Put mutants into a passing pipeline, one at a time, and return which of them its reference and policy detect.

    The stages of a pipeline that was loaded from a file run in processes of their own; those of another pipeline are
    called here, and its code is not mutated.

    Example::

        report = run_mutation_test(pipeline, reference, model="model/", sample=50)
        print(report.tally().mutation_score)

    Args:
        pipeline: the path; for code mutants loaded from a project, so that its source is known.
        reference: what training recorded; of one in partitions the first is used.
        model: the local path of the model, which ``pipeline.model`` loads; for frame mutants alone also a loaded model.
        policy: what must hold.
        kinds: ``code`` for mutants of the stages' code, ``frame`` for mutants of what stages return.
        mutants: evaluate these instead of all that :func:`mutants_of` returns.
        sample: evaluate so many of them, drawn with the seed; all by default.
        rows: generated beyond the reference, to decide which mutants are equivalent; 0 for none.
        minimum: the mutation score to reach, 0 to 1; the policy's by default.
        seconds: for the stages of one mutant at most; ten times what all checks took without any, where that is less.
        jobs: mutants at once; as many as there are processors by default.
        seed: of the sample and the rows.
        server: the worker that read the pipeline; by default one in this interpreter, with nothing that keeps it apart.
        on_progress: is called with what is being done, how many are done, and of how many.

    Raises:
        UsageError: an unknown kind, no source for code mutants, no mutmut, or a model that no other process can load.
        SeatrialError: the pipeline without a mutant does not pass, so no mutant can be detected.
    """
    begin = time.perf_counter()
    reference.matches(pipeline)
    digest, reference = reference.digest, reference.part(0)  # of one in partitions, a sample of its requests
    wants_code = "code" in kinds if mutants is None else any(isinstance(m, CodeMutant) for m in mutants)
    with opened(pipeline, reference, model, server, wants_code=wants_code) as (opener, running):
        jobs = jobs if running else 1  # plain calls of a user's functions: not two at a time
        wanted = kinds if mutants is None else ("code",) if wants_code else ()
        code = _reached(pipeline, wanted, running)
        available = _mutants(pipeline, reference, kinds, code) if mutants is None else list(mutants)
        drawn = available if sample is None or sample >= len(available) else _drawn(available, sample, seed)
        context = MutationContext(bare(pipeline), reference, policy or Policy(), seed=seed)
        seconds = min(seconds, max(LEAST_SECONDS, 10 * _unchanged_passes(opener, context, seconds, on_progress)))
        literals = literals_of(code.definitions) if code else []
        context, remark = _with_candidates(opener, context, rows, literals, seconds, on_progress)
        compare = partial(evaluate.by_comparison, context)
        ended = _evaluate(opener, compare, drawn, "comparing", seconds, jobs, on_progress)
        # Perhaps of a busy processor, or over another mutant: once more, alone.
        late = [n for n, e in enumerate(ended) if e.status in (Status.TIMED_OUT, Status.LOST)]
        again = _evaluate(opener, compare, [drawn[n] for n in late], "repeating", 3 * seconds, 1, on_progress)
        for n, e in zip(late, again, strict=True):
            ended[n] = e
        left = [n for n, e in enumerate(ended) if _outcome(e) in (evaluate.UNDETECTED, evaluate.CHAIN_ONLY)]
        check = partial(_by_checks, context, {id(drawn[n]): _outcome(ended[n]) for n in left})
        again = _evaluate(opener, check, [drawn[n] for n in left], "running checks", 10 * seconds, jobs, on_progress)
        for n, e in zip(left, again, strict=True):  # the comparison did not kill these, so an error here is no kill
            ended[n] = e if e.status is Status.RETURNED else replace(e, status=Status.RAISED)
    found = context.candidates
    origins = found.origins if found else ()
    return MutationReport(
        pipeline.name, pipeline.stages, tuple(_result(m, e, origins) for m, e in zip(drawn, ended, strict=True)),
        context.policy.mutation.minimum if minimum is None else minimum, digest, context.policy.digest,
        len(origins), len(available), seed, round(time.perf_counter() - begin, 3), remark,
        found.requests if found else None, tuple(code.unmutated) if code else (),
        wants_code and not any(isinstance(m, CodeMutant) for m in available),
    )  # fmt: skip


def mutants_of(
    pipeline: Pipeline, reference: Reference, kinds: Sequence[str] = KINDS, *, server: ForkServer | None = None
) -> list[Mutant]:
    """Return every mutant of the kinds that this pipeline and reference allow, in a fixed order.

    Args:
        pipeline: the path.
        reference: what training recorded.
        kinds: ``code``, ``frame`` or both.
        server: the worker that read the pipeline; by default one is started for code mutants.

    Raises:
        UsageError: an unknown kind, or no source for code mutants.
    """
    return _mutants(pipeline, reference.part(0), kinds, _reached(pipeline, kinds, server))


def _reached(pipeline: Pipeline, kinds: Sequence[str], server: ForkServer | None) -> Reached | None:
    """Return the code that the stages reach, where it is to be mutated."""
    if other := [k for k in kinds if k not in KINDS]:
        raise UsageError(unknown("Kind of mutant", other[0], KINDS))
    if "code" not in kinds:
        return None
    with nullcontext(server) if server else fork_server(pipeline) as reading:
        return reading.reached()


def _mutants(pipeline: Pipeline, reference: Reference, kinds: Sequence[str], code: Reached | None) -> list[Mutant]:
    found: list[Mutant] = list(map(CodeMutant, code_changes(code.definitions))) if code else []
    if "frame" in kinds:
        found += [
            FrameMutant(operator.name, stage, on)
            for stage in pipeline.stages
            for operator, on in applicable_operators(reference.frame(stage), pipeline.key_of(stage))
        ]
    return found


def _drawn(available: Sequence[Mutant], sample: int, seed: int) -> list[Mutant]:
    chosen = np.random.default_rng(seed).choice(len(available), sample, replace=False)
    return [available[n] for n in sorted(chosen)]


def _unchanged_passes(opener: Opener, context: MutationContext, seconds: float, on_progress: OnProgress) -> float:
    """Run every check on the unchanged pipeline and return the seconds that took; SeatrialError unless it passes."""
    on_progress("the pipeline without a mutant", 0, 1)
    ((_, ended),) = run_each(opener, partial(evaluate.original, context), [None], seconds=10 * seconds)
    if _outcome(ended) != Outcome.PASS:
        why = ended.value["reason"] if ended.value else f"it gave no verdict: {ended.reason}"
        raise SeatrialError(
            f"The pipeline does not pass without a mutant, so no mutant can be detected: {why} "
            "Make 'seatrial validate' pass first."
        )
    on_progress("the pipeline without a mutant", 1, 1)
    return ended.seconds


def _with_candidates(
    opener: Opener,
    context: MutationContext,
    rows: int,
    literals: Sequence[Literal],
    seconds: float,
    on_progress: OnProgress,
) -> tuple[MutationContext, str]:
    if not rows:
        return context, "no rows beyond the reference were requested"
    on_progress("rows beyond the reference", 0, 1)

    def found(replayer: Replayer, _: None, __: evaluate.Report) -> beyond.Candidates:
        return beyond.find(
            replayer, context.pipeline, context.reference, rows=rows, seed=context.seed, literals=literals
        )

    ((_, ended),) = run_each(opener, found, [None], seconds=10 * seconds)
    if ended.value is None:
        return context, f"no rows beyond the reference could be generated: {ended.reason}"
    on_progress("rows beyond the reference", 1, 1)
    return replace(context, candidates=ended.value), ""


def _by_checks(
    context: MutationContext, outcomes: dict[int, str], replayer: Replayer, mutant: Mutant, report: evaluate.Report
) -> dict[str, Any]:
    chain_only = outcomes[id(mutant)] == evaluate.CHAIN_ONLY
    return evaluate.by_checks(context, replayer, mutant, report, chain_only=chain_only)


def _evaluate(
    opener: Opener, work: Callable[[Replayer, Mutant, evaluate.Report], Any], mutants: Sequence[Mutant], what: str,
    seconds: float, jobs: int, on_progress: OnProgress,
) -> list[Evaluation]:  # fmt: skip
    ended: dict[int, Evaluation] = {}
    if mutants:
        on_progress(what, 0, len(mutants))
    for n, result in run_each(opener, work, mutants, seconds=seconds, jobs=jobs):
        ended[n] = result
        on_progress(what, len(ended), len(mutants))
    return [ended[n] for n in range(len(mutants))]


def _outcome(ended: Evaluation) -> str:
    return str(ended.value["outcome"]) if ended.value else ""


def _result(mutant: Mutant, ended: Evaluation, origins: Sequence[str]) -> MutantResult:
    """Return the result; a mutant that could not be evaluated counts as survived, never as killed."""
    kind = "code" if isinstance(mutant, CodeMutant) else "frame"
    result = MutantResult(str(mutant), kind, tuple(mutant.stages), KILLED, ended.progress or None, ended.reason)
    if ended.status in (Status.RAISED, Status.LOST):
        why = f"it was not evaluated: {ended.reason}"
        result = replace(result, outcome=SURVIVED, reported_stage=None, differences=(why,))
    elif ended.value:
        found = ended.value
        rows = tuple(found.get("killers", ()))
        result = replace(
            result, outcome=found["outcome"], reported_stage=found.get("stage"), reason=found.get("reason", ""),
            differences=tuple(found.get("differences", ())), rows=rows, origins=tuple(origins[n] for n in rows),
            warnings=tuple(found.get("warnings", ())),
        )  # fmt: skip
    if isinstance(mutant, CodeMutant):
        diff = mutant.change.diff if result.outcome != KILLED or not result.in_right_stage else ""
        result = replace(result, file=mutant.change.file.name, line=mutant.change.line, diff=diff)
    return result
