"""What a capture writes of a stage and of a dependency, and what the manifest says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import StageError
from seatrial.io import parquet
from seatrial.parity.reading import column
from seatrial.pipeline import Pipeline
from seatrial.reference.environment import environment
from seatrial.reference.recording import Answers, RecordingClient

FORMAT = 1


def check_something(stage: str, rows: int, columns: Iterable[str], request: Sequence[str]) -> None:
    """Refuse an answer that holds nothing to compare: a reference of nothing would pass anything.

    Raises:
        StageError: it has no row, or no column beside the key of the requests.
    """
    if not rows or not {*columns} - {*request}:
        lack = "no row" if not rows else f"no column beside {'the key' if len(request) == 1 else 'the keys'}"
        raise StageError(stage, f"Stage '{stage}' returned {lack}; there would be nothing to compare it by.")


def stage_entry(pipeline: Pipeline, stage: str, frame: pd.DataFrame, *, given: bool = False) -> dict[str, Any]:
    """Return what the manifest says of a stage that returned this frame."""
    entry: dict[str, Any] = {
        "rows": len(frame),
        "given": given,
        "indexed": not (frame.index.nlevels == 1 and frame.index.equals(pd.RangeIndex(len(frame)))),
        "columns": {c: column(frame[c]).logical for c in frame.columns},  # the same on every release of pandas
    }
    if (own := pipeline.stage(stage).key) is not None:
        entry["key"] = own if isinstance(own, str) else list(own)
    return entry


def manifest_of(
    pipeline: Pipeline, stages: Mapping[str, Any], recorders: Mapping[str, RecordingClient], root: Path, seed: int
) -> dict[str, Any]:
    """Write what the dependencies answered, and return the manifest without its files."""
    return {
        "kind": "reference",
        "format": FORMAT,
        "pipeline": pipeline.name,
        "key": pipeline.key if isinstance(pipeline.key, str) else list(pipeline.key),
        "path": list(pipeline.stages),
        "stages": dict(stages),
        "dependencies": {name: write_answers(name, r.answers(), root) for name, r in recorders.items()},
        "seed": seed,
        "environment": environment(),
        "apart": ["environment"],  # the digest is of what was captured, wherever that was
    }


def write_answers(name: str, answers: Answers, root: Path) -> dict[str, Any]:
    """Write what a dependency answered, and return what the manifest says of it."""
    parts = []
    for n, lookup in enumerate(answers.lookups.values()):
        parquet.write_frame(lookup.asked, root / f"answers/{name}-{n}-asked.parquet", f"the keys asked of '{name}'")
        parquet.write_frame(lookup.rows, root / f"answers/{name}-{n}-rows.parquet", f"the answers of '{name}'")
        parts.append({**lookup.layout, "on": list(lookup.on)})
    return {"lookups": parts, "calls": dict(answers.calls)}
