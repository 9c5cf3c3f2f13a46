"""Rows beyond the reference: generated requests that resemble the reference's, with what the original stages return.

They decide whether a mutant is equivalent, and name the rows that would have killed one that the reference does not
detect. Four kinds: rows drawn from a copula, rows whose fields are drawn independently (so that new combinations
occur), one edge case in an ordinary row, and values at the boundaries that the code itself compares with. Keys of
dependencies are drawn from those recorded at capture: there is no recorded answer for others. A row that the original
pipeline rejects is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from seatrial.errors import FixtureError, StageError
from seatrial.fixtures import tables
from seatrial.fixtures.sources.copula import source
from seatrial.fixtures.sources.edges import edge_rows
from seatrial.mutation.literals import Literal, boundary_rows
from seatrial.parity.compare import Tolerance, compare
from seatrial.pipeline import Pipeline, Replayer, own_copy
from seatrial.reference.snapshot import Reference

BATCH = 1_000  # rows replayed together while rejected rows are searched
EXACT = Tolerance(rtol=0.0, atol=0.0)


@dataclass(frozen=True)
class Candidates:
    """The rows.

    Attributes:
        requests: that the original pipeline accepts.
        frames: what each of its stages returns for them, by name, in path order.
        origins: where each request comes from.
        key: of the pipeline.
    """

    requests: pd.DataFrame
    frames: Mapping[str, pd.DataFrame]
    origins: tuple[str, ...]
    key: tuple[str, ...]

    def input_of(self, stage: str) -> pd.DataFrame:
        """Return what a stage gets for them."""
        at = list(self.frames).index(stage)
        return list(self.frames.values())[at - 1] if at else self.requests

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The number of a request by its key as text; empty where a request has several rows, or none."""
        first = next(iter(self.frames.values()))
        keys = [" / ".join(map(str, row)) for row in first[list(self.key)].itertuples(index=False, name=None)]
        return {k: n for n, k in enumerate(keys)} if len(first) == len(self.requests) else {}


def find(
    replayer: Replayer, pipeline: Pipeline, reference: Reference, *, rows: int, seed: int,
    literals: Sequence[Literal] = (),
) -> Candidates:  # fmt: skip
    """Generate candidates and replay the stages on them.

    Args:
        replayer: runs the stages of the original pipeline.
        pipeline: it.
        reference: whose requests they resemble.
        rows: how many, edge cases apart.
        seed: of every random choice.
        literals: what the code compares with; rows at these boundaries are tried too.

    Raises:
        FixtureError: the requests cannot be imitated, or the pipeline rejects all rows.
        StageError: a stage rejects the accepted rows together, or does not repeat itself on them.
    """
    requests, origins = candidates_of(pipeline, reference, rows, seed, literals)
    accepted = _accepted(replayer, pipeline.stages, requests)
    if not accepted:
        raise FixtureError("The pipeline rejects every row that was generated from its requests.")
    kept = requests.iloc[accepted].reset_index(drop=True)
    [results] = replayer.replay(pipeline.stages, [own_copy(kept)])
    frames = {}
    for stage, result in zip(pipeline.stages, results, strict=False):
        if isinstance(result, StageError):
            raise result
        frames[stage] = result
    found = Candidates(kept, frames, tuple(origins[n] for n in accepted), pipeline.key_of())
    for stage, first in frames.items():
        [[again]] = replayer.replay([stage], [own_copy(found.input_of(stage))])
        if isinstance(again, StageError):
            raise again
        exact = {str(column): EXACT for column in first.columns if column not in pipeline.key_of(stage)}
        if not compare(first, again, key=pipeline.key_of(stage), tolerances=exact, distributions=False).ok:
            raise StageError(stage, f"Stage '{stage}' is not repeatable on them.")
    return found


def candidates_of(
    pipeline: Pipeline, reference: Reference, rows: int, seed: int, literals: Sequence[Literal] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Return requests in the form of the reference's, and where each of them comes from.

    Raises:
        FixtureError: requests of a form that cannot be imitated.
    """
    payload = _payload(reference.requests)
    table = tables.table_of(reference, payload=payload)
    named = [name for name in pipeline.key_of() if name in table.column_names]
    plain = [n for n in named if tables.is_text(table[n].type) or pa.types.is_integer(table[n].type)]
    key = next(iter(plain or named), None)  # the others of a key of several columns are drawn like any field
    fields = table.drop_columns([key]) if key else table
    looked_up = {c for name in pipeline.dependencies for k in reference.answers(name).lookups.values() for c in k.on}
    kinds = {name: "category" for name in fields.column_names if name in looked_up}
    drawn = source.fit(fields, kinds=kinds).sample(rows - rows // 2, seed)
    rng = np.random.default_rng([seed, 1])
    independent = {n: fields[n].take(pa.array(rng.integers(0, len(fields), rows // 2))) for n in fields.column_names}
    edges, cases = edge_rows(fields, seed)
    at_boundaries, boundaries = boundary_rows(fields, literals, frozenset(looked_up), seed)
    parts = (drawn, pa.table(independent), edges, at_boundaries)
    made = pa.concat_tables([part.cast(fields.schema) for part in parts])
    origins = [*["like the reference"] * len(drawn), *["fields drawn independently"] * (rows // 2)]
    origins += [f"{case['column']}: {case['edge']}" for case in cases]
    origins += boundaries
    if key:
        text = tables.is_text(table[key].type)
        keys = [f"mutation-{n:07d}" if text else n for n in range(len(made))]
        made = made.append_column(key, pa.array(keys).cast(table[key].type)).select(table.column_names)
    whole = tables.pack(made, payload) if payload else made
    return _as(reference.requests, whole), origins


def _payload(requests: pd.DataFrame) -> str | None:
    """Return the column that holds the request as a JSON object, where it is the only one."""
    if len(requests.columns) != 1 or not len(requests):
        return None
    cell = requests.iloc[0, 0]
    return str(requests.columns[0]) if isinstance(cell, str) and cell.lstrip().startswith("{") else None


def _as(requests: pd.DataFrame, made: pa.Table) -> pd.DataFrame:
    """Return the table with the dtypes of the requests, wherever its values fit them."""
    frame = made.to_pandas()
    for name, dtype in requests.dtypes.items():
        try:
            frame[name] = frame[name].astype(dtype)
        except (TypeError, ValueError, OverflowError):
            continue
    return frame[list(requests.columns)]


def _accepted(replayer: Replayer, stages: Sequence[str], frame: pd.DataFrame) -> list[int]:
    """Return the positions of the rows that the pipeline accepts, found by halving."""
    accepted: list[int] = []
    waiting: list[Sequence[int]] = [range(n, min(n + BATCH, len(frame))) for n in range(0, len(frame), BATCH)]
    while waiting:
        parts = [frame.iloc[list(part)].reset_index(drop=True) for part in waiting]
        halves: list[Sequence[int]] = []
        for part, results in zip(waiting, replayer.replay(stages, list(map(own_copy, parts))), strict=True):
            if not isinstance(results[-1], StageError):
                accepted += part
            elif len(part) > 1:
                halves += [part[: len(part) // 2], part[len(part) // 2 :]]
        waiting = halves
    return sorted(accepted)
