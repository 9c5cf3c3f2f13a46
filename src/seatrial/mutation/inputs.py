"""What a stage is fed when two versions of its code are told apart, and what each makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from seatrial.errors import StageError
from seatrial.mutation.candidates import Candidates
from seatrial.mutation.equivalence import Answer
from seatrial.parity.result import Parity
from seatrial.pipeline import Pipeline
from seatrial.reference.snapshot import Reference

ONE_BY_ONE = 20  # rows that are also sent each by itself


@dataclass(frozen=True)
class Feed:
    """One way to ask a stage.

    Attributes:
        what: in words.
        stage: the stage.
        batches: its inputs, one call each.
        lost: the dependency that is lost meanwhile: its declared fallback stands in for it.
        candidates: that the rows are of, where a row of them can be told by its key.
    """

    what: str
    stage: str
    batches: Sequence[pd.DataFrame]
    lost: str | None = None
    candidates: Candidates | None = None

    def answers(self, pipeline: Pipeline, *, model: Any, clients: Mapping[str, Any]) -> list[Answer]:
        """Return what the stage makes of each batch; an exception by its name."""
        if self.lost is not None:
            fallback = pipeline.dependencies[self.lost].fallback
            assert fallback is not None
            clients = {**clients, self.lost: fallback()}
        step = pipeline.step(self.stage, model=model, clients=clients)
        found: list[Answer] = []
        for batch in self.batches:
            try:
                found.append(step(batch.reset_index(drop=True).copy()))
            except StageError as error:
                found.append(type(error.__cause__ or error).__name__)
        return found

    def killers(self, original: Answer, changed: Answer, parity: Callable[..., Parity]) -> list[int]:
        """Return some candidates on which the policy, and not only the bits, tells two answers apart.

        Args:
            original: what the stage makes of all candidates.
            changed: what it makes of them with the fault.
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


def feeds(
    pipeline: Pipeline, stages: Sequence[str], reference: Reference, candidates: Candidates | None
) -> Iterator[Feed]:
    """Yield every way to ask some stages: all rows at once, none, one by one, and with each dependency lost."""
    for stage in stages:
        given = reference.input_of(stage)
        yield Feed("on the reference", stage, [given])
        if candidates is not None:
            rows = candidates.reference.input_of(stage)
            yield Feed(f"on {len(rows):,} rows beyond it", stage, [rows], candidates=candidates)
            given = rows
        yield Feed("on one row at a time", stage, [given.iloc[[n]] for n in range(min(ONE_BY_ONE, len(given)))])
        yield Feed("on a request of no rows", stage, [given.iloc[:0]])
        for name in pipeline.stage(stage).needs:
            if name in pipeline.dependencies and pipeline.dependencies[name].fallback:
                yield Feed(f"while '{name}' is lost", stage, [reference.input_of(stage)], lost=name)
