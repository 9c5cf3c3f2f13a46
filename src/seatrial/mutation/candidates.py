"""Rows beyond the reference: generated requests that resemble the reference's, captured with the original pipeline.

They decide whether a mutant is equivalent, and name the rows that would have killed one that the reference does not
detect. Three kinds: rows drawn from a copula, rows whose fields are drawn independently (so that new combinations
occur), and one edge case in an ordinary row. Keys of dependencies are drawn from those recorded at capture: there is
no recorded answer for others. A row that the original pipeline rejects is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from seatrial.errors import FixtureError, StageError
from seatrial.fixtures import tables
from seatrial.fixtures.sources.copula import source
from seatrial.fixtures.sources.edges import edge_rows
from seatrial.mutation.mutants import with_stages
from seatrial.pipeline import Pipeline
from seatrial.reference.capture import capture
from seatrial.reference.snapshot import Reference

BATCH = 1_000  # rows replayed together while rejected rows are searched
ORIGINS = "origins.json"


@dataclass(frozen=True)
class Candidates:
    """The rows, captured as a reference, and a description of where each of its requests comes from."""

    reference: Reference
    origins: tuple[str, ...]

    @classmethod
    def load(cls, root: Path) -> Candidates:
        """Load what :func:`write` wrote."""
        return cls(Reference.load(root / "rows"), tuple(json.loads((root / ORIGINS).read_text(encoding="utf-8"))))


def write(pipeline: Pipeline, reference: Reference, root: Path, *, rows: int, seed: int, model: Any = None) -> int:
    """Generate candidates, capture them with the pipeline, write them below ``root`` and return how many there are.

    Raises:
        SeatrialError: the requests cannot be imitated, or the pipeline rejects all rows.
    """
    requests, origins = candidates_of(pipeline, reference, rows, seed)
    clients = reference.clients()
    path = with_stages(pipeline)
    path.dependencies = {n: replace(d, connect=_always(clients[n])) for n, d in path.dependencies.items()}

    def sent(part: pd.DataFrame) -> None:
        for stage in path.stages:
            part = path.step(stage, model=model, clients=clients)(part)

    accepted = _accepted(sent, requests)
    if not accepted:
        raise FixtureError("The pipeline rejects every row that was generated from its requests.")
    capture(path, requests.iloc[accepted].reset_index(drop=True), model=model, seed=seed).save(root / "rows")
    (root / ORIGINS).write_text(json.dumps([origins[n] for n in accepted], ensure_ascii=False), encoding="utf-8")
    return len(accepted)


def candidates_of(pipeline: Pipeline, reference: Reference, rows: int, seed: int) -> tuple[pd.DataFrame, list[str]]:
    """Return requests in the form of the reference's, and where each of them comes from.

    Raises:
        FixtureError: requests of a form that cannot be imitated.
    """
    payload = _payload(reference.requests)
    table = tables.table_of(reference, payload=payload)
    key = pipeline.key if pipeline.key in table.column_names else None
    fields = table.drop_columns([key]) if key else table
    looked_up = {c for name in pipeline.dependencies for k in reference.answers(name).lookups.values() for c in k.on}
    kinds = {name: "category" for name in fields.column_names if name in looked_up}
    drawn = source.fit(fields, kinds=kinds).sample(rows - rows // 2, seed)
    rng = np.random.default_rng([seed, 1])
    independent = {n: fields[n].take(pa.array(rng.integers(0, len(fields), rows // 2))) for n in fields.column_names}
    edges, cases = edge_rows(fields, seed)
    made = pa.concat_tables([part.cast(fields.schema) for part in (drawn, pa.table(independent), edges)])
    origins = [*["like the reference"] * len(drawn), *["fields drawn independently"] * (rows // 2)]
    origins += [f"{case['column']}: {case['edge']}" for case in cases]
    if key:
        text = tables.is_text(table[key].type)
        keys = [f"mutation-{n:07d}" if text else n for n in range(len(made))]
        made = made.append_column(key, pa.array(keys).cast(table[key].type)).select(table.column_names)
    whole = tables.pack(made, payload) if payload else made
    return _as(reference.requests, whole), origins


def _always(client: Any) -> Callable[[str], Any]:
    return lambda _: client


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


def _accepted(send: Callable[[pd.DataFrame], None], frame: pd.DataFrame) -> list[int]:
    """Return the positions of the rows that the pipeline accepts, found by halving."""
    accepted: list[int] = []
    waiting: list[Sequence[int]] = [range(n, min(n + BATCH, len(frame))) for n in range(0, len(frame), BATCH)]
    while waiting:
        part = waiting.pop()
        try:
            send(frame.iloc[list(part)].reset_index(drop=True))
        except StageError:
            if len(part) > 1:
                waiting += [part[: len(part) // 2], part[len(part) // 2 :]]
        else:
            accepted += part
    return sorted(accepted)
