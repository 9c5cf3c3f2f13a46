"""Inputs on which two versions of a stage's code are compared, and the results of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from seatrial.errors import StageError
from seatrial.mutation.candidates import Candidates
from seatrial.mutation.equivalence import StageResult
from seatrial.parity.result import Parity
from seatrial.pipeline import Pipeline
from seatrial.reference.snapshot import Reference

SINGLE_ROWS = 20  # rows that are also sent one by one


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

    def results(self, pipeline: Pipeline, *, model: Any, clients: Mapping[str, Any]) -> list[StageResult]:
        """Return the result of each batch; an exception by its name."""
        if self.unavailable is not None:
            fallback = pipeline.dependencies[self.unavailable].fallback
            assert fallback is not None
            clients = {**clients, self.unavailable: fallback()}
        step = pipeline.step(self.stage, model=model, clients=clients)
        found: list[StageResult] = []
        for batch in self.batches:
            try:
                found.append(step(batch.reset_index(drop=True).copy()))
            except StageError as error:
                found.append(type(error.__cause__ or error).__name__)
        return found

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
        places = self._places
        return [places[k] for k in keys if k in places] or list(places.values())[:1]  # a type differs in every row

    @cached_property
    def _places(self) -> dict[str, int]:
        if self.candidates is None:
            return {}
        reference = self.candidates.reference
        first = reference.frame(reference.stages[0])[reference.key]
        return {str(k): n for n, k in enumerate(first)} if len(first) == len(reference.requests) else {}


def stage_inputs(
    pipeline: Pipeline, stages: Sequence[str], reference: Reference, candidates: Candidates | None
) -> Iterator[StageInput]:
    """Yield the inputs of some stages: all rows at once, none, one by one, and with each dependency unavailable."""
    for stage in stages:
        given = reference.input_of(stage)
        yield StageInput("on the reference", stage, [given])
        if candidates is not None:
            rows = candidates.reference.input_of(stage)
            yield StageInput(f"on {len(rows):,} rows beyond it", stage, [rows], candidates=candidates)
            given = rows
        yield StageInput("on one row at a time", stage, [given.iloc[[n]] for n in range(min(SINGLE_ROWS, len(given)))])
        yield StageInput("on a request of no rows", stage, [given.iloc[:0]])
        for name in pipeline.stage(stage).needs:
            if name in pipeline.dependencies and pipeline.dependencies[name].fallback:
                yield StageInput(f"while '{name}' is unavailable", stage, [reference.input_of(stage)], unavailable=name)
