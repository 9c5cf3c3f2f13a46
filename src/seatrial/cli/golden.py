"""What ``seatrial fixtures select`` and ``refresh`` do: choose a golden set's rows, and renew the set for review."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial import registry
from seatrial.checks.engine import loaded
from seatrial.errors import EXIT_PASS, FixtureError, UsageError
from seatrial.fixtures.golden.refresh import refresh as replace_set
from seatrial.fixtures.golden.select import select as choose
from seatrial.io import parquet
from seatrial.io.files import atomic_write
from seatrial.io.tables.read import read_table
from seatrial.pipeline import Pipeline, row_index
from seatrial.project import Project
from seatrial.reference.capture import capture
from seatrial.reference.snapshot import Reference

Print = Callable[[str], object]


def select(
    directory: str | Path,
    requests: Path,
    to: Path,
    out: Print,
    *,
    rows: int = 500,
    model_uri: str | None = None,
    boundaries: Sequence[str] = (),
    by_branches: bool = True,
    seed: int = 0,
) -> int:
    """Run the pipeline on candidate requests, and write those that a golden set should hold.

    Args:
        directory: the project's.
        requests: the file of candidate requests: Parquet, CSV or JSON lines.
        to: the Parquet file to write.
        out: prints a line.
        rows: maximum number of requests.
        model_uri: the version whose model the stages use; needed where a stage takes one.
        boundaries: each ``STAGE.COLUMN=NUMBER``, a threshold on which a decision depends.
        by_branches: find by coverage.py which requests take which branch of the stages' code.
        seed: seed for tie-breaking.

    Raises:
        UsageError: an output that is not a Parquet file, or is the input; a boundary that is no such pair.
        FixtureError: no room, an unknown stage or column, or no coverage.py.
    """
    thresholds = _thresholds(boundaries)
    if to.suffix != ".parquet" or to.resolve() == requests.resolve():
        raise UsageError(f"--to '{to}' must be a Parquet file other than the candidates. Example: --to golden.parquet")
    project = Project.find(directory)
    project.activate()
    pipeline, candidates = project.pipeline(), read_table(requests)
    with tempfile.TemporaryDirectory(prefix="seatrial-select-") as scratch:
        path = _model_path(pipeline, model_uri, Path(scratch))
        reference = capture(pipeline, candidates, model=path, seed=seed)
        model = loaded(pipeline, path)
        chosen = choose(
            pipeline, reference, rows, model=model, boundaries=thresholds, seed=seed, by_branches=by_branches
        )
        file = Path(scratch) / "chosen.parquet"
        parquet.write_frame(_rows(pipeline, reference, candidates, chosen.keys), file, "the requests")
        atomic_write(to, file.read_bytes())
    out(f"{chosen}\nWrote {to}.")
    return EXIT_PASS


def refresh(
    directory: str | Path,
    golden: Path,
    requests: Path,
    out: Print,
    *,
    who: str,
    why: str,
    model_uri: str | None = None,
    seed: int = 0,
) -> int:
    """Capture requests, put them in the place of the golden set, and print what changed.

    Args:
        directory: the project's.
        golden: the directory of the golden set; made where there is none.
        requests: the file of the new set's requests: Parquet, CSV or JSON lines.
        out: prints a line.
        who: the person who changes the set.
        why: the reason.
        model_uri: the version whose model the stages use; needed where a stage takes one.
        seed: random seed with which the requests were sampled.

    Raises:
        FixtureError: no name or no reason, or a set of another pipeline; the set that stands is untouched.
    """
    project = Project.find(directory)
    project.activate()
    pipeline = project.pipeline()
    with tempfile.TemporaryDirectory(prefix="seatrial-refresh-") as scratch:
        path = _model_path(pipeline, model_uri, Path(scratch))
        after = capture(pipeline, read_table(requests), model=path, seed=seed)
        difference = replace_set(golden, after, who=who, why=why)
    out(str(difference))
    out(f"{golden} is unchanged." if difference.empty else f"Wrote {golden}, refreshed by {who}: {why}")
    return EXIT_PASS


def _thresholds(boundaries: Sequence[str]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for boundary in boundaries:
        place, _, number = boundary.rpartition("=")
        try:
            threshold = float(number)
        except ValueError:
            threshold = math.nan
        if "." not in place or not math.isfinite(threshold):
            raise UsageError(
                f"--boundary '{boundary}' is not STAGE.COLUMN=NUMBER. Example: --boundary prediction.risk=0.5"
            )
        found.setdefault(place, []).append(threshold)
    return found


def _model_path(pipeline: Pipeline, uri: str | None, scratch: Path) -> Path | None:
    """Download the version's model; None where no version is given, or the pipeline loads no model."""
    if uri is None or pipeline.model is None:
        return None
    version = registry.resolve(uri)
    return registry.of(uri).fetch(version, scratch / "model")


def _rows(pipeline: Pipeline, reference: Reference, requests: pd.DataFrame, keys: Sequence[Any]) -> pd.DataFrame:
    """Return the requests with these keys, which the first stage gives; requests stand in the order of its rows."""
    key, of_rows = pipeline.key_of(), reference.frame(pipeline.stages[0])
    listed = ", ".join(f"'{name}'" for name in key)
    if set(key) <= set(reference.requests.columns):
        of_rows = reference.requests
    elif len(of_rows) != len(requests):
        raise FixtureError(
            f"Stage '{pipeline.stages[0]}' returned {len(of_rows):,} rows for {len(requests):,} requests without "
            f"{listed}, so no row can be traced to its request. Add {listed} to the requests."
        )
    return requests[row_index(of_rows, key).isin(list(keys))].reset_index(drop=True)
