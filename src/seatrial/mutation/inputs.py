"""Inputs on which two versions of a stage's code are compared, and the results of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from seatrial.errors import StageError
from seatrial.mutation.candidates import Candidates
from seatrial.mutation.equivalence import StageResult
from seatrial.parity.result import Parity
from seatrial.pipeline import Pipeline, Replayer, own_copy, requests_of
from seatrial.reference.snapshot import Reference

SINGLE = 20  # requests that are also sent one by one
RAISED = re.compile(r"^Stage '\w+' raised (\w+)")


@dataclass(frozen=True)
class StageInput:
    """One input of a stage, in one or several batches.

    Attributes:
        what: a description for people.
        stage: the stage.
        batches: frames, one call each.
        unavailable: the dependency that is unavailable meanwhile: its declared fallback replaces it.
        candidates: that the rows come from, where a row can be found by its key.
    """

    what: str
    stage: str
    batches: Sequence[pd.DataFrame]
    unavailable: str | None = None
    candidates: Candidates | None = None

    def results(self, replayer: Replayer) -> list[StageResult]:
        """Return the result of each batch; an exception by its name."""
        given = [own_copy(batch.reset_index(drop=True)) for batch in self.batches]
        fallback = {} if self.unavailable is None else {self.unavailable: "fallback"}
        replayed = replayer.replay([self.stage], given, sources=fallback)  # type: ignore[arg-type]
        return [_named(r) if isinstance(r, StageError) else r for (r,) in replayed]

    def killers(self, original: StageResult, changed: StageResult, parity: Callable[..., Parity]) -> list[int]:
        """Return some candidates on which two results differ by the policy, and not only in their bits.

        Args:
            original: the result of the stage on all candidates.
            changed: its result with the mutant.
            parity: compares two frames by the policy's tolerances.
        """
        if self.candidates is None or isinstance(original, str) or isinstance(changed, str):
            return []
        found = parity(original, changed)
        if found.ok:
            return []
        keys = [k for c in found.columns if not c.ok for k in c.worst_keys]
        keys += [*found.missing_keys.sample, *found.extra_keys.sample]
        places = self.candidates.places
        return [places[k] for k in keys if k in places] or list(places.values())[:1]  # a type differs in every row


def stage_inputs(
    pipeline: Pipeline, stages: Sequence[str], reference: Reference, candidates: Candidates | None
) -> Iterator[StageInput]:
    """Yield the inputs of some stages: all rows at once, none, one by one, and with each dependency unavailable."""
    for stage in stages:
        given = reference.input_of(stage)
        yield StageInput("on the reference", stage, [given])
        if candidates is not None:
            rows = candidates.input_of(stage)
            yield StageInput(f"on {len(rows):,} rows beyond it", stage, [rows], candidates=candidates)
            given = rows
        alone = requests_of(given, pipeline.key_of())[:SINGLE]
        yield StageInput("on one request at a time", stage, [given.iloc[rows] for rows in alone])
        yield StageInput("on a request of no rows", stage, [given.iloc[:0]])
        for name in pipeline.stage(stage).needs:
            if name in pipeline.dependencies and pipeline.dependencies[name].fallback:
                yield StageInput(f"while '{name}' is unavailable", stage, [reference.input_of(stage)], unavailable=name)


def _named(error: StageError) -> str:
    """Return the name of the exception that a stage raised, or of the error that breaking the rule is."""
    found = RAISED.match(str(error))
    return found[1] if found else type(error).__name__
