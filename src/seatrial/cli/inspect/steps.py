"""One request of the reference through every stage: in a worker, without Prefect, a service or Great Expectations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seatrial import registry
from seatrial.checks.serving.answers import key_id
from seatrial.checks.serving.requests import request_keys
from seatrial.checks.side_by_side import FrameByKey
from seatrial.cli.inspect.render import cell_text, table
from seatrial.errors import StageError, UsageError, nearest
from seatrial.formatting import plural
from seatrial.io.files import workplace
from seatrial.isolation.opening.project import open_replayer
from seatrial.parity.keys import BETWEEN
from seatrial.parity.noisy import compare_noisy
from seatrial.parity.result import Parity
from seatrial.pipeline import Pipeline, key_columns
from seatrial.project import Project
from seatrial.reference.snapshot import Reference
from seatrial.sinks.text import neutral, neutral_lines
from seatrial.trial import Trial

MARK = "differs"
NEAREST_OF = 10_000  # keys among which the nearest is looked for


@dataclass(frozen=True)
class Cell:
    """A cell in the reference and in the result, as text; None where there is no such row or column."""

    row: str
    column: str
    reference: str | None
    result: str | None
    same: bool


@dataclass(frozen=True)
class Step:
    """What one stage made of the request.

    Attributes:
        stage: its name.
        same: it matches the reference within the policy's tolerances.
        origin: it differs on its recorded input too, so that the difference originates here.
        cells: every cell, in the order of the reference.
        error: the exception that ended the trace here, with its traceback; empty where there is none.
    """

    stage: str
    same: bool
    origin: bool = False
    cells: tuple[Cell, ...] = ()
    error: str = ""


def traced(directory: Path, version: str, key: str) -> list[Step]:
    """Return what each stage makes of one request, in order; the last one where a stage raised.

    Args:
        directory: of the project.
        version: its address in the registry.
        key: of the request, as findings name it.

    Raises:
        UsageError: the reference has no such request, with the nearest one.
        SeatrialError: the version, its reference or its environment cannot be had.
    """
    project = Project.find(directory)
    project.activate()
    found = registry.resolve(version if ":" in version else f"{project.registry}:/{version}")
    with workplace(project.state / "versions") as folder:
        fetched = registry.fetch(found, folder)
        with open_replayer(project, fetched.model) as replayer:
            pipeline = replayer.pipeline()
            part, request, rows = _found(pipeline, fetched.reference, key)
            with Trial(pipeline, part, policy=project.policy(pipeline), replayer=replayer) as trial:
                replayer.load(fetched.reference, {"version": fetched.model})
                return list(_steps(trial, request, rows))


def lines(version: str, key: str, steps: Sequence[Step]) -> list[str]:
    """Return the steps as text, differing cells marked."""
    found = [f"Request {neutral(key)} of {neutral(version)}, stage by stage:"]
    for step in steps:
        what = "raises" if step.error else "differs"
        origin = "on its recorded input too: it originates here"
        came = "and not on its recorded input: it comes from a stage before"
        how = "same" if step.same else f"{what} {origin}" if step.origin else f"{what}, {came}"
        found += ["", f"{step.stage}: {how}"]
        found += [f"  {line}" for line in neutral_lines(step.error)]
        rows = [
            [neutral(c.row), neutral(c.column), cell_text(c.reference), cell_text(c.result), "" if c.same else MARK]
            for c in step.cells
        ]
        found += table(["row", "column", "training", "now", ""], rows) if rows else []
    return found


def plain(steps: Sequence[Step]) -> list[Mapping[str, Any]]:
    """Return the steps as JSON types."""
    return [asdict(step) for step in steps]


def _found(pipeline: Pipeline, reference: Reference, key: str) -> tuple[Reference, str, list[int]]:
    """Return the partition of the request that a key belongs to, the request's name, and the positions of its rows."""
    reference.matches(pipeline)
    count, known = 0, list[str]()
    for part in map(reference.part, range(reference.partitions)):
        keys = request_keys(part.requests, pipeline.key, part.frame(pipeline.stages[0]))
        names = [BETWEEN.join(key_id(k)) for k in keys]
        request = next((n for n in dict.fromkeys(names) if key == n or key.startswith(n + BETWEEN)), None)
        if request is not None:
            return part, request, [n for n, name in enumerate(names) if name == request]
        count, known = count + len(set(names)), [*known, *names][:NEAREST_OF]
    raise UsageError(
        f"The reference has no request with the key '{key}'. It has {plural(count, 'request')}, such as "
        f"{', '.join(known[:3])}.{nearest(key, known)}"
    )


def _steps(trial: Trial, request: str, rows: Sequence[int]) -> Iterator[Step]:
    stages = trial.pipeline.stages
    given = trial.reference.requests.iloc[list(rows)].reset_index(drop=True)
    [results] = trial.replayer.replay(stages, [given])
    before = given
    for stage, result in zip(stages, results, strict=False):
        recorded = _of_request(trial, trial.reference.frame(stage), request)
        if isinstance(result, StageError):
            yield Step(stage, False, _origin(trial, stage, before, recorded), error=result.details or str(result))
            return
        parity, cells = _compared(trial, stage, recorded, result)
        yield Step(stage, parity.ok, not parity.ok and _origin(trial, stage, before, recorded), tuple(cells))
        before = recorded


def _origin(trial: Trial, stage: str, given: pd.DataFrame, recorded: pd.DataFrame) -> bool:
    """Return whether a stage differs on what it got at capture, too."""
    [[result]] = trial.replayer.replay([stage], [given])
    return isinstance(result, StageError) or not _compared(trial, stage, recorded, result)[0].ok


def _compared(trial: Trial, stage: str, recorded: pd.DataFrame, result: pd.DataFrame) -> tuple[Parity, Iterator[Cell]]:
    whole, rows = trial.reference.frame(stage), trial.pipeline.rows_of(stage)
    parity = compare_noisy(
        recorded, result, noise=trial.noise(stage, "chained"), recorded=True, **rows, scale_of=whole,
        tolerances=trial.policy.of(stage).tolerances, worst=len(recorded), distributions=False,
    )  # fmt: skip
    return parity, _cells(parity, recorded, result)


def _cells(parity: Parity, recorded: pd.DataFrame, result: pd.DataFrame) -> Iterator[Cell]:
    was, now = (FrameByKey(frame, parity.key_columns) for frame in (recorded, result))
    wrong = {c.column: set(was.names) if not c.dtype_ok else {*c.worst_keys} for c in parity.columns if not c.ok}
    columns = dict.fromkeys(map(str, [*recorded.columns, *result.columns]))
    for name in dict.fromkeys([*was.names, *now.names]):
        for column in columns:
            if column not in parity.key_columns:
                reference, value = was.cell(name, column), now.cell(name, column)
                same = (reference is None) == (value is None) and name not in wrong.get(column, ())
                yield Cell(name, column, reference, value, same)


def _of_request(trial: Trial, frame: pd.DataFrame, request: str) -> pd.DataFrame:
    names = FrameByKey(frame, key_columns(trial.pipeline.key)).names
    return frame[np.array([name == request for name in names], dtype=bool)].reset_index(drop=True)
