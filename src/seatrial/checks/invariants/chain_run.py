"""One run of a chain in other batches, compared stage by stage with its frames in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from seatrial.checks.invariants.asked import Asked, asked_of
from seatrial.checks.invariants.handed import handed_over
from seatrial.checks.invariants.judge import (
    broken_invariant,
    described,
    extent,
    extent_sentence,
    failed_batch,
    problems,
    what,
)
from seatrial.checks.invariants.reassembly import assemble, expected_of, names_requests, rows_of
from seatrial.checks.invariants.stage import StageProbe
from seatrial.checks.invariants.variations import ROWS, Batches, Positions, Variation
from seatrial.errors import StageError
from seatrial.events import Event, Finding
from seatrial.parity.result import Parity
from seatrial.pipeline import Replayed
from seatrial.trial import Trial


@dataclass(frozen=True)
class Chain:
    """Consecutive stages, with the frames that they return for all requests in one batch.

    Attributes:
        trial: the trial.
        name: of the check.
        stages: their names.
        asked: the part of the first stage's input that they are asked again.
        probes: the stages with their answers in one batch.
    """

    trial: Trial
    name: str
    stages: tuple[str, ...]
    asked: Asked
    probes: list[StageProbe]

    @property
    def dear(self) -> bool:
        """Whether a stage of it declares how often it may be called."""
        return any(self.trial.pipeline.stage(s).calls is not None for s in self.stages)

    @classmethod
    def of(cls, trial: Trial, name: str, stages: tuple[str, ...]) -> Chain:
        """Return the chain of the stages.

        Raises:
            StageError: a stage raised on all requests in one batch.
        """
        asked, key = asked_of(trial, stages[0]), trial.pipeline.key_of()
        if stages[0] == trial.pipeline.stages[0]:
            whole = [trial.chained(stage) for stage in stages]
        else:
            whole = frames_of(trial.replayer.replay(stages, [trial.reference.input_of(stages[0])])[0])
        again = whole
        if asked.sampled and not names_requests(asked.rows, whole[0], key):
            again = frames_of(trial.replayer.replay(stages, [asked.rows])[0])
        probes = [
            StageProbe.on(trial, stage, asked, answer, frame, "chained")
            for stage, answer, frame in zip(stages, again, whole, strict=True)
        ]
        return cls(trial, name, stages, asked, probes)


class ChainRun:
    """The chain in one variation."""

    def __init__(self, chain: Chain, variation: Variation, batches: Batches) -> None:
        self.chain, self.variation, self.batches = chain, variation, batches
        self.results = chain.trial.replayer.replay(chain.stages, [chain.asked.batch(rows) for rows in batches])
        self._assembled: dict[int, tuple[pd.DataFrame, dict[str, str]]] = {}

    def error(self, at: int) -> StageError | None:
        """Return the first error of a stage."""
        found = (r[at] for r in self.results if len(r) > at)
        return next((r for r in found if isinstance(r, StageError)), None)

    def pieces(self, at: int) -> list[pd.DataFrame]:
        """Return the frames of a stage, batch by batch, up to those that an error ended."""
        return [r[at] for r in self.results if len(r) > at and isinstance(r[at], pd.DataFrame)]

    def parity(self, at: int) -> Parity:
        """Compare a stage's answers with its answer in one batch."""
        probe = self.chain.probes[at]
        asked, key = self.chain.asked, probe.request_key
        expected = expected_of(probe.of_all, asked.rows, key, self.batches, lambda _: self._in_one_batch[at])
        return probe.parity(expected, self.together(at))

    def together(self, at: int) -> pd.DataFrame:
        """Return a stage's answers as one frame, in the types that they have in one batch."""
        return self._assemble(at)[0]

    def retyped(self, at: int) -> dict[str, str]:
        """Return the columns of a stage whose type depends on the batch."""
        return self._assemble(at)[1]

    def _assemble(self, at: int) -> tuple[pd.DataFrame, dict[str, str]]:
        if at not in self._assembled:
            self._assembled[at] = assemble(self.pieces(at), self.chain.probes[at].of_all)
        return self._assembled[at]

    def finding(self, at: int, error: StageError | None, parity: Parity | None) -> Event | None:
        """Return the finding of a stage that raised or differs: its own fault, or that of the hand-off to it."""
        probe = self.chain.probes[at]
        if at:
            return self._own(at) or (self._raised(at, error) if error else self._broken(at))
        if error:
            return failed_batch(self.chain.name, probe, self.variation, error)
        return broken_invariant(self.chain.name, probe, self.variation, parity) if parity else None

    def _own(self, at: int) -> Event | None:
        """Return the finding of a stage that fails on its recorded input too, in the same batches."""
        chain, probe = self.chain, self.chain.probes[at]
        if chain.dear:
            return None
        recorded, key = chain.trial.reference.input_of(probe.stage), probe.request_key
        batches = [rows_of(recorded, piece, key).reset_index(drop=True) for piece in self.pieces(at - 1)]
        try:
            together = assemble(chain.trial.replay(probe.stage, batches), probe.of_all)[0]
        except StageError as error:
            return failed_batch(chain.name, probe, self.variation, error)
        alone = chain.trial.isolated(probe.stage)
        parity = probe.parity(rows_of(alone, pd.concat(batches), key), together)
        return broken_invariant(chain.name, probe, self.variation, parity)

    def _broken(self, at: int) -> Finding | None:
        """Return the finding of a hand-off to a stage whose answer differs.

        What the stage before returns may differ within its tolerance, and this stage may make more of it, as rounding
        does: what it makes of the same values in one batch is no fault of the hand-off.
        """
        chain, probe = self.chain, self.chain.probes[at]
        try:
            [same_values] = chain.trial.replay(probe.stage, [self.together(at - 1)])
        except StageError:
            same_values = probe.of_all
        parity = probe.parity(same_values, self.together(at))
        found = problems(parity)
        if not found:
            return None
        detail, columns, evidence = described(parity, found)
        text = f"returns {what(parity, found)} {self.variation.condition} (seed {chain.trial.seed}): {detail}"
        return self._finding(at, text, columns, evidence)

    def _raised(self, at: int, error: StageError) -> Finding:
        text = f"fails {self.variation.condition} (seed {self.chain.trial.seed}): {str(error).rstrip('.')}"
        return self._finding(at, text, [], {})

    def _finding(self, at: int, text: str, columns: Sequence[str], evidence: dict[str, object]) -> Finding:
        chain, before, stage = self.chain, self.chain.stages[at - 1], self.chain.stages[at]
        requests = chain.asked.requests if self.variation is not ROWS else len(self.batches)
        differs, handed = handed_over(chain.probes[at - 1].of_all, self.pieces(at - 1), self._pieces_that_failed(at))
        return Finding(
            chain.name,
            stage,
            f"The hand-off from '{before}' to '{stage}' depends on the batch. By itself '{stage}' answers the same in "
            f"every batch; on what '{before}' returns it {text}. {differs}{extent_sentence(chain.asked, requests)}",
            column=columns[0] if columns else None,
            cause="hand-off",
            advice=f"Let '{before}' return the same types, categories and index for one request as for many: declare "
            "them instead of inferring them from the rows.",
            evidence={
                "seed": chain.trial.seed, "variation": self.variation.cause, "before": before, "handed_over": handed,
                **evidence, **({"columns": list(columns)} if columns else {}), **extent(chain.asked),
                "requests": requests, "batches_count": len(self.batches),
            },
        )  # fmt: skip

    def _pieces_that_failed(self, at: int) -> list[pd.DataFrame]:
        """Return the frames on which a stage raised."""
        failed = [r for r in self.results if len(r) > at and isinstance(r[at], StageError)]
        return [r[at - 1] for r in failed]

    @cached_property
    def _in_one_batch(self) -> list[pd.DataFrame]:
        rows: Positions = np.unique(np.concatenate(self.batches))
        chain = self.chain
        return frames_of(chain.trial.replayer.replay(chain.stages, [chain.asked.batch(rows)])[0])


def frames_of(results: Replayed) -> list[pd.DataFrame]:
    """Return the frames of a chain; the error that ended it is raised."""
    for result in results:
        if isinstance(result, StageError):
            raise result
    return [r for r in results if isinstance(r, pd.DataFrame)]
