"""Hold an exam: seed every fault, ask what the reference and the policy say of it, and sum up."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.errors import SeatrialError, UsageError
from seatrial.events import Outcome
from seatrial.mutation import candidates as beyond
from seatrial.mutation import judge
from seatrial.mutation.candidates import Candidates
from seatrial.mutation.forks import Ended, How, each
from seatrial.mutation.judge import Room
from seatrial.mutation.mutants import mutants_of
from seatrial.mutation.operators.frames import faults_of
from seatrial.mutation.reachability import reached
from seatrial.mutation.results import KILLED, SURVIVED, MutantResult, MutationReport
from seatrial.mutation.seeded import FrameFault, MutantFault, Seeded
from seatrial.pipeline import Pipeline
from seatrial.policy.policy import Policy
from seatrial.reference.snapshot import Reference

KINDS = ("mutant", "frame")
ROWS = 20_000  # beyond the reference, on which an equivalent mutant changes nothing
SECONDS = 120.0  # for one fault at most; an endless loop ends then
PATIENCE = 10.0  # seconds that one may take however fast the pipeline is
Hear = Callable[[str, int, int], None]  # what is being done, how many are done, of how many


def examine(
    pipeline: Pipeline,
    reference: Reference,
    *,
    model: Any = None,
    policy: Policy | None = None,
    kinds: Sequence[str] = KINDS,
    faults: Sequence[Seeded] | None = None,
    sample: int | None = None,
    rows: int = ROWS,
    minimum: float | None = None,
    seconds: float = SECONDS,
    jobs: int = 0,
    seed: int = 0,
    keep: Path | None = None,
    hear: Hear = lambda *_: None,
) -> MutationReport:
    """Seed faults into a pipeline that is in order and see which of them its reference and policy catch.

    Args:
        pipeline: the path; for mutants loaded from a project, so that its source is known.
        reference: what training saw.
        model: the loaded model.
        policy: what must hold.
        kinds: ``mutant`` for mutants of the stages' code, ``frame`` for faults on what stages answer.
        faults: these, of those that :func:`seedable` gives, in the place of all.
        sample: as many of them, drawn with the seed; all by default.
        rows: made beyond the reference, to settle which mutants are equivalent; 0 for none.
        minimum: the kill share asked for; the policy's by default.
        seconds: for one fault at most; ten times what all checks took without any, where that is less.
        jobs: faults at once; as many as there are processors by default.
        seed: of the draw and the rows.
        keep: a directory for the rows beyond the reference; a temporary one by default.
        hear: is told how far the exam is.

    Raises:
        UsageError: an unknown kind, no source for mutants, no mutmut, or a system that cannot fork.
        SeatrialError: the pipeline without a fault does not pass: there is nothing to tell faults by.
    """
    begin = time.perf_counter()
    reference.matches(pipeline)
    every = seedable(pipeline, reference, kinds) if faults is None else list(faults)
    drawn = every if sample is None or sample >= len(every) else _drawn(every, sample, seed)
    room = Room(pipeline, reference, policy or Policy(), model, reference.clients(), seed=seed)
    _warm(room)
    seconds = min(seconds, max(PATIENCE, 10 * _sound(room, seconds, hear)))
    with tempfile.TemporaryDirectory(prefix="seatrial-exam-") as scratch:
        room, remark = _with_candidates(room, keep or Path(scratch), rows, seconds, hear)
        asked = partial(judge.by_kernel, room)
        first = _ask(asked, drawn, "comparing", seconds=seconds, jobs=jobs, hear=hear)
        late = [n for n, ended in enumerate(first) if ended.how is How.LATE]  # by its own doing, or by a busy machine's
        again = _ask(asked, [drawn[n] for n in late], "once more", seconds=3 * seconds, jobs=1, hear=hear)
        for n, ended in zip(late, again, strict=True):
            first[n] = ended
        left = [n for n, ended in enumerate(first) if _outcome(ended) in (judge.OPEN, judge.CHAINED)]
        closer = partial(_closer, room, {id(drawn[n]): _outcome(first[n]) for n in left})
        again = _ask(closer, [drawn[n] for n in left], "looking closer", seconds=10 * seconds, jobs=jobs, hear=hear)
        for n, ended in zip(left, again, strict=True):
            first[n] = ended if ended.how is How.ANSWERED else replace(ended, how=How.RAISED)  # the kernel let it live
    origins = room.candidates.origins if room.candidates else ()
    return MutationReport(
        pipeline.name, pipeline.stages, tuple(_answer(s, e, origins) for s, e in zip(drawn, first, strict=True)),
        room.policy.mutation.minimum if minimum is None else minimum, reference.digest, room.policy.digest,
        len(origins), len(every), seed, round(time.perf_counter() - begin, 3), remark,
    )  # fmt: skip


def seedable(pipeline: Pipeline, reference: Reference, kinds: Sequence[str] = KINDS) -> list[Seeded]:
    """Return every fault of the kinds that this pipeline and reference allow, in a fixed order."""
    if strange := [k for k in kinds if k not in KINDS]:
        raise UsageError(f"An exam seeds {' and '.join(KINDS)} faults, not '{strange[0]}'.")
    found: list[Seeded] = []
    if "mutant" in kinds:
        if pipeline.source is None:
            raise UsageError(
                f"Pipeline '{pipeline.name}' was not loaded from a project, so its code cannot be mutated. Load it "
                "with Project.find(…).pipeline(), or ask for kinds=['frame']."
            )
        found += map(MutantFault, mutants_of(reached(pipeline, pipeline.source[0].resolve().parent)))
    if "frame" in kinds:
        found += [
            FrameFault(kind.name, stage, on)
            for stage in pipeline.stages
            for kind, on in faults_of(reference.frame(stage), pipeline.key)
        ]
    return found


def _drawn(every: Sequence[Seeded], sample: int, seed: int) -> list[Seeded]:
    chosen = np.random.default_rng(seed).choice(len(every), sample, replace=False)
    return [every[n] for n in sorted(chosen)]


def _warm(room: Room) -> None:
    """Read and import in the parent what every child would read and import again."""
    from seatrial.checks.expectations.check import warm_up

    warm_up()
    for stage in room.reference.stages:
        room.reference.frame(stage)
        room.reference.input_of(stage)


def _sound(room: Room, seconds: float, hear: Hear) -> float:
    """Return the seconds in which every check passed the pipeline without a fault."""
    hear("the pipeline without a fault", 0, 1)
    ((_, ended),) = each(lambda _, say: judge.unharmed(room, say), [None], seconds=10 * seconds)
    if _outcome(ended) != Outcome.PASS:
        why = ended.value["how"] if ended.value else f"it gave no verdict: {ended.reason}"
        raise SeatrialError(f"Without any fault the pipeline does not pass, so nothing can be told by it: {why}")
    hear("the pipeline without a fault", 1, 1)
    return ended.seconds


def _with_candidates(room: Room, root: Path, rows: int, seconds: float, hear: Hear) -> tuple[Room, str]:
    if not rows:
        return room, "no rows beyond the reference were asked for"
    hear("rows beyond the reference", 0, 1)
    make = partial(beyond.write, room.pipeline, room.reference, root, rows=rows, seed=room.seed, model=room.model)
    ((_, ended),) = each(lambda _, __: make(), [None], seconds=10 * seconds)
    if ended.value is None:
        return room, f"no rows beyond the reference could be made: {ended.reason}"
    hear("rows beyond the reference", 1, 1)
    return replace(room, candidates=Candidates.load(root)), ""


def _closer(room: Room, outcomes: dict[int, str], seeded: Seeded, say: judge.Say) -> dict[str, Any]:
    return judge.by_checks(room, seeded, say, chained=outcomes[id(seeded)] == judge.CHAINED)


def _ask(
    work: Callable[[Seeded, judge.Say], Any], seeded: Sequence[Seeded], what: str, *, seconds: float, jobs: int,
    hear: Hear,
) -> list[Ended]:  # fmt: skip
    ended: dict[int, Ended] = {}
    place = {id(s): n for n, s in enumerate(seeded)}
    if seeded:
        hear(what, 0, len(seeded))
    for one, end in each(work, seeded, seconds=seconds, jobs=jobs):
        ended[place[id(one)]] = end
        hear(what, len(ended), len(seeded))
    return [ended[n] for n in range(len(seeded))]


def _outcome(ended: Ended) -> str:
    return str(ended.value["outcome"]) if ended.value else ""


def _answer(seeded: Seeded, ended: Ended, origins: Sequence[str]) -> MutantResult:
    """Return the answer; a fault that could not be judged counts as a survivor, never as killed."""
    kind = "mutant" if isinstance(seeded, MutantFault) else "frame"
    answer = MutantResult(str(seeded), kind, tuple(seeded.stages), KILLED, ended.said or None, ended.reason)
    if ended.how is How.RAISED:
        answer = replace(answer, outcome=SURVIVED, named=None, differs=(f"it could not be judged: {ended.reason}",))
    elif ended.value:
        said = ended.value
        rows = tuple(said.get("killers", ()))
        answer = replace(
            answer, outcome=said["outcome"], named=said.get("stage"), how=said.get("how", ""),
            differs=tuple(said.get("differs", ())), rows=rows, origins=tuple(origins[n] for n in rows),
            told=tuple(said.get("told", ())),
        )  # fmt: skip
    if isinstance(seeded, MutantFault):
        told = seeded.mutant.diff if answer.outcome != KILLED or not answer.right else ""
        answer = replace(answer, file=seeded.mutant.file.name, line=seeded.mutant.line, diff=told)
    return answer
