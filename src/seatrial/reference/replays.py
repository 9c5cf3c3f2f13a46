"""Replay every stage on one partition after the other, compare, and add up what was found.

A stage that ran on the rows of all partitions together when the reference was captured is given all of them together
again: its answers depend on other requests. The stages before and after it run by partition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import pandas as pd

from seatrial.errors import ReferenceInvalid, StageError
from seatrial.parity.agreement.choose import Allowed
from seatrial.parity.streaming.frames.compare import Compared, FrameComparison
from seatrial.parity.streaming.frames.identical import identical
from seatrial.parity.streaming.frames.stack import stacked
from seatrial.parity.streaming.frames.totals import FrameTotals
from seatrial.parity.streaming.runner import Runner
from seatrial.pipeline import AS_STORED, LocalReplayer, Pipeline, Replayed, Replayer, key_columns
from seatrial.reference.layout.ahead import behind, read_ahead
from seatrial.reference.layout.pieces import Done, Found, Piece, Place, Replay
from seatrial.reference.layout.scales import scale_of
from seatrial.reference.layout.segments import segments_of
from seatrial.reference.layout.split import Parting
from seatrial.reference.snapshot import Reference


@dataclass(frozen=True)
class Ran:
    """What the stages of a piece returned.

    Attributes:
        piece: the stages.
        part: its partition.
        chained: what they returned one after the other; an error is the last.
        isolated: what they returned on their recorded input, of those that were given something else.
    """

    piece: Piece
    part: Reference
    chained: Sequence[pd.DataFrame | StageError]
    isolated: Mapping[str, pd.DataFrame | StageError]


@dataclass(frozen=True)
class Work:
    """Replays stages on a partition and compares what they return.

    Attributes:
        reference: in partitions; its stages are those of the pipeline.
        replayer: runs the stages.
        tolerances: of the columns of each stage.
        ordered: the stages of which the order of rows is part of the answer.
    """

    reference: Reference
    replayer: Replayer
    tolerances: Mapping[str, Mapping[str, Allowed]]
    ordered: frozenset[str]

    def __call__(self, piece: Piece) -> Done:
        """Replay the stages one after the other, and alone, and compare what they return."""
        return self.judged(self.replayed(piece, self.reference.part(piece.number, read_only=True)))

    def read(self, piece: Piece) -> Reference:
        """Return the partition with the frames that are needed, read."""
        part = self.reference.part(piece.number, read_only=True)
        for stage in piece.stages:
            part.input_of(stage), part.frame(stage)
        return part

    def replayed(self, piece: Piece, part: Reference) -> Ran:
        """Replay the stages on a partition that is given."""
        start = part.requests if piece.start is None else piece.start
        if isinstance(start, StageError):
            results: Sequence[pd.DataFrame | StageError] = [start]
        else:
            [results] = self._replayed(piece.stages, start)
        alone: dict[str, pd.DataFrame | StageError] = {}
        for at, stage in enumerate(piece.stages):
            given, start = start, results[min(at, len(results) - 1)]
            if (at > 0 or piece.start is not None) and not self._same(given, part.input_of(stage)):
                alone[stage] = self._replayed([stage], part.input_of(stage))[0][-1]
        return Ran(piece, part, results, alone)

    def judged(self, ran: Ran) -> Done:
        """Compare what the stages returned."""
        piece, part, results = ran.piece, ran.part, ran.chained
        found: dict[Place, FrameTotals | StageError] = {}
        for at, stage in enumerate(piece.stages):
            answer = results[min(at, len(results) - 1)]
            found[stage, "chained"] = found[stage, "isolated"] = self.compared(stage, piece.number, part, answer)
            if stage in ran.isolated:
                alone = ran.isolated[stage]
                found[stage, "isolated"] = self.compared(stage, piece.number, part, alone)
        return Done(found, results[-1] if piece.ends else None)

    def _replayed(self, stages: Sequence[str], frame: pd.DataFrame) -> list[Replayed]:
        """Replay stages on a partition; a process runs one partition at a time, as its stages and limits expect."""
        replay = getattr(self.replayer, "replay_in_turn", self.replayer.replay)
        return list(replay(stages, [frame]))

    def _same(self, given: pd.DataFrame | StageError, recorded: pd.DataFrame) -> bool:
        """Whether a stage was given what was recorded."""
        if isinstance(given, StageError):
            return False
        as_stored = given.attrs.pop(AS_STORED, isinstance(self.replayer, LocalReplayer))
        return as_stored and identical(given, recorded)

    def comparison(self, stage: str) -> FrameComparison:
        """Return what is known of a stage before it is compared; the first rows of it set the scale of its columns."""
        whole, entry = self.reference, self.reference.manifest["stages"][stage]
        filled = next((n for n, rows in enumerate(entry["parts"]) if rows), 0)
        some = scale_of(whole.root, whole.digest, stage, lambda: whole.part(filled).frame(stage))
        return FrameComparison(
            whole.key_of(stage), key_columns(whole.key), ordered=stage in self.ordered, rows=entry["rows"],
            scale_of=some, tolerances=self.tolerances[stage],
        )  # fmt: skip

    def compared(
        self, stage: str, number: int, part: Reference, actual: pd.DataFrame | StageError
    ) -> FrameTotals | StageError:
        """Compare what a stage returned for a partition; an error stays one."""
        if isinstance(actual, StageError):
            return actual
        return self.comparison(stage).part(number, part.frame(stage), actual, part.input_of(stage))

    def together(self, stage: str, starts: Sequence[pd.DataFrame | StageError | None]) -> tuple[Found, list[Done]]:
        """Replay a stage on the rows of all partitions, and compare what it returned partition by partition.

        Args:
            stage: the stage.
            starts: what the end-to-end replay gives it in each partition; None for the requests.

        Returns:
            What was found, and for each partition what the end-to-end replay returned.
        """
        parts = [self.reference.part(number) for number in range(self.reference.partitions)]
        inputs = [part.input_of(stage) for part in parts]
        chained = [given if start is None else start for given, start in zip(inputs, starts, strict=True)]
        alone = self._parted(stage, inputs, parts)
        ends = self._parted(stage, chained, parts)
        found: dict[Place, FrameTotals | StageError] = {}
        replays: dict[Replay, Sequence[pd.DataFrame | StageError]] = {"isolated": alone, "chained": ends}
        for which, answers in replays.items():
            pieces = (self.compared(stage, n, part, answers[n]) for n, part in enumerate(parts))
            found[stage, which] = reduce(_both, pieces)
        return found, [Done({}, end) for end in ends]

    def _parted(
        self, stage: str, given: Sequence[pd.DataFrame | StageError], parts: Sequence[Reference]
    ) -> list[pd.DataFrame | StageError]:
        """Run a stage on frames together, and return its rows for each partition."""
        frames = [frame for frame in given if isinstance(frame, pd.DataFrame)]
        errors = [error for error in given if isinstance(error, StageError)]
        if errors:
            return [errors[0]] * len(given)
        [[out]] = self.replayer.replay([stage], [stacked(frames)])
        if isinstance(out, StageError):
            return [out] * len(given)
        stored = self.reference.manifest["parting"]
        key = key_columns(self.reference.key)
        types = [parts[0].requests[name].dtype for name in key]
        answers = Parting(stored["count"], tuple(stored["kept"])).parts(out, key, types)
        for answer in answers:
            answer.attrs = {**out.attrs}
        return [*answers]


def compared(
    pipeline: Pipeline,
    reference: Reference,
    replayer: Replayer,
    tolerances: Mapping[str, Mapping[str, Allowed]],
    runner: Runner | None = None,
    on_progress: Callable[[int, int, str], object] = lambda *_: None,
) -> Mapping[Place, Compared | StageError]:
    """Return how the replays of every stage compare with a reference in partitions.

    Args:
        pipeline: its stages.
        reference: in partitions.
        replayer: runs the stages.
        tolerances: of the columns of each stage.
        runner: does the work on each partition; by default it is done here, while the next one is read
            and the one before is compared.
        on_progress: called with the partitions done, those in all, and what is done next.
    """
    ordered = frozenset(stage for stage in pipeline.stages if pipeline.stage(stage).ordered)
    work = Work(reference, replayer, tolerances, ordered)
    found: dict[Place, FrameTotals | StageError] = {}
    starts: list[pd.DataFrame | StageError | None] = [None] * reference.partitions
    segments = list(segments_of(pipeline.stages, reference.whole_stages))
    steps, step = len(segments) * reference.partitions, 0
    for stages in segments:
        if stages[0] in reference.whole_stages:
            on_progress(step, steps, f"stage '{stages[0]}' on all partitions together")
            everywhere, done = work.together(stages[0], starts)
            found.update(everywhere)
            starts, step = [each.end for each in done], step + reference.partitions
            continue
        ends = stages[-1] != pipeline.stages[-1]
        pieces = [Piece(n, stages, start, ends) for n, start in enumerate(starts)]
        here = behind(work.judged, map(work.replayed, pieces, read_ahead(work.read, pieces)))
        for n, each in enumerate(here if runner is None else runner.map(work, pieces)):
            step += 1
            on_progress(step, steps, f"partition {n + 1} of {reference.partitions}")
            for place, more in each.found.items():
                found[place] = _both(found[place], more) if place in found else more
            starts[n] = each.end
    _check_whole(found, reference)
    return {
        place: each if isinstance(each, StageError) else work.comparison(place[0]).settled(each)
        for place, each in found.items()
    }


def _check_whole(found: Found, reference: Reference) -> None:
    """See that the rows of all partitions were compared, whoever ran the work."""
    for (stage, _), each in found.items():
        rows = reference.manifest["stages"][stage]["rows"]
        if isinstance(each, FrameTotals) and each.rows.expected != rows:
            raise ReferenceInvalid(
                f"Stage '{stage}' was compared with {each.rows.expected:,} rows, and the reference says it has "
                f"{rows:,}. Run the validation again; if it says so again, capture the reference again."
            )


def _both(one: FrameTotals | StageError, other: FrameTotals | StageError) -> FrameTotals | StageError:
    """Return what was found in both; the first error stands for all."""
    if isinstance(one, StageError):
        return one
    return other if isinstance(other, StageError) else one.merge(other)
