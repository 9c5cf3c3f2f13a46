"""How a stage is judged: exactly, within its recorded noise, or by the rate at which its answers agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from seatrial.io import parquet
from seatrial.parity.noise import ColumnNoise
from seatrial.parity.noisy import Noise
from seatrial.pipeline import Pipeline
from seatrial.reference.snapshot import Reference


def noise_of(
    reference: Reference, pipeline: Pipeline, stage: str, replay: Literal["isolated", "chained"] = "isolated"
) -> Noise:
    """Return what a comparison with the answers of a stage allows for: no noise where it is judged exactly.

    Args:
        reference: captured with the pipeline.
        pipeline: says which stages answer differently each time.
        stage: the stage.
        replay: on its recorded input, or at the end of the path, where the noise of earlier stages reaches it.
    """
    stages = pipeline.stages
    until = stages[: stages.index(stage) + 1]
    sampled = next((s for s in until if pipeline.stage(s).samples is not None), None)
    if sampled == stage:
        return Noise(unjudged=f"Stage '{stage}' answers differently each time, and is judged by its rate of agreement.")
    if sampled is not None and replay == "chained":
        return Noise(
            unjudged=f"The values of stage '{stage}' in the end-to-end replay follow from those of stage '{sampled}', "
            "which answers differently each time; they are not compared. Its stage replay is, on its recorded input."
        )
    entries: Mapping[str, Any] = reference.manifest["noise"]
    entry = entries.get(stage, {})
    chained = replay == "chained" and "chained" in entry
    entry = entry["chained"] if chained else entry
    columns, keys = {}, pd.Index([])
    if entry.get("columns"):
        runs = parquet.read_frame(reference.root / f"noise/{stage}{'-chained' if chained else ''}.parquet")
        keys = pd.Index(runs["key"].astype(str))
        columns = {
            name: ColumnNoise.of(np.array([runs[f"{n} {run}"].to_numpy(float) for run in range(entry["runs"])]))
            for n, name in enumerate(entry["columns"])
        }
    return Noise(
        keys,
        columns,
        differing=entry.get("differing", {}),
        rows=int(entry.get("rows", 0)),
        judged=sum(map(_columns, entries.values())),
        centred=not any(reference.manifest["stages"][s]["given"] for s in until),
        asked=int(entry.get("asked", 1)) if not chained else 1,
    )


def recorded_answers(reference: Reference, stage: str) -> list[pd.DataFrame]:
    """Return every answer that was recorded of a stage that answers differently each time."""
    count = reference.manifest["samples"].get(stage, 0)
    return [parquet.read_frame(reference.root / f"samples/{stage}-{n}.parquet") for n in range(count)]


def _columns(entry: Mapping[str, Any]) -> int:
    own = len(entry.get("columns", ())) + len(entry.get("differing", ()))
    return own + (_columns(entry["chained"]) if "chained" in entry else 0)
