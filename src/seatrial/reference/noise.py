"""Run stages again at capture: record the noise of those that are not repeatable, or refuse them.

A noisy stage is run k times on its stored input, and the stages behind it on each of its answers, because their
end-to-end replay has its noise too. The runs of the noisy columns are kept: what they mean is computed by the judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from seatrial.errors import PipelineError, StageError
from seatrial.io import parquet
from seatrial.parity.compare import Tolerance, compare
from seatrial.parity.noise import runs_for
from seatrial.parity.noisy import key_text
from seatrial.parity.result import Parity
from seatrial.pipeline import Pipeline, own_copy

LEAST = 5  # runs from which noise can be judged
EXACT = Tolerance(rtol=0.0, atol=0.0)

Mode = Literal["refuse", "record"]
Run = Callable[[str, pd.DataFrame], pd.DataFrame]
"""Runs a stage on a frame, which it may write into."""


@dataclass(frozen=True)
class Recorder:
    """Runs stages again and writes what differs.

    Attributes:
        pipeline: its stages.
        run: runs one of them.
        root: the directory of the reference.
        mode: ``refuse`` a stage that is not repeatable, or ``record`` its noise.
        runs: how often a noisy stage is run, at least.
    """

    pipeline: Pipeline
    run: Run
    root: Path
    mode: Mode
    runs: int

    def record(
        self, first_of: Mapping[str, pd.DataFrame], input_of: Callable[[str], pd.DataFrame]
    ) -> dict[str, dict[str, Any]]:
        """Run every stage again and return the manifest's ``noise`` and ``samples``.

        Args:
            first_of: what each stage returned, as storage gives it back.
            input_of: returns the stored input of a stage.

        Raises:
            StageError: a stage is not repeatable, and its noise is not recorded or cannot be.
        """
        noise: dict[str, Any] = {}
        samples: dict[str, int] = {}
        chain: list[pd.DataFrame] = []
        for stage, first in first_of.items():
            if chain and not samples:
                chain = [self.run(stage, own_copy(frame)) for frame in chain]
            if (declared := self.pipeline.stage(stage).samples) is not None:
                frames = [first, *(self.run(stage, input_of(stage)) for _ in range(max(declared.n, LEAST) - 1))]
                for n, frame in enumerate(frames):
                    parquet.write_frame(frame, self.root / f"samples/{stage}-{n}.parquet", f"stage '{stage}'")
                samples[stage] = len(frames)
                continue
            frames = self._again(stage, first, input_of)
            entry = self._entry(stage, frames, stage) if len(frames) > 2 else {}
            if chain and not samples and (found := self._behind(stage, chain)):
                entry["chained"] = found
            if len(frames) > 2 and not chain:
                chain = frames
            if entry:
                noise[stage] = entry
        return {"noise": noise, "samples": samples}

    def _again(self, stage: str, first: pd.DataFrame, input_of: Callable[[str], pd.DataFrame]) -> list[pd.DataFrame]:
        frames = [first, self.run(stage, input_of(stage))]
        key = self.pipeline.key_of(stage)
        noisy = self._noisy(stage, first, frames[1:])
        if not noisy:
            return frames
        least = self.runs
        while len(frames) < least:
            frames.append(self.run(stage, input_of(stage)))
            if len(frames) == least:
                noisy = self._noisy(stage, first, frames[1:])
                least = max(least, *(runs_for(_values(frames, key, c), least) for c in noisy))
        return frames

    def _noisy(self, stage: str, first: pd.DataFrame, others: Sequence[pd.DataFrame]) -> list[str]:
        """Return the columns of floats that differ between runs; refuse what no noise can describe."""
        noisy: dict[str, None] = {}
        for second in others:
            parity = _compared(first, second, self.pipeline, stage)
            if parity.ok:
                continue
            numbers = _only_numbers(parity)
            if self.mode != "record" or not numbers:
                raise _not_repeatable(stage, parity, numbers)
            noisy |= dict.fromkeys(c.column for c in parity.columns if c.mismatches)
        return list(noisy)

    def _entry(self, stage: str, frames: Sequence[pd.DataFrame], file: str) -> dict[str, Any]:
        return self._written(stage, frames, self._noisy(stage, frames[0], frames[1:]), file)

    def _written(self, stage: str, frames: Sequence[pd.DataFrame], noisy: Sequence[str], file: str) -> dict[str, Any]:
        key = self.pipeline.key_of(stage)
        values = {c: _values(frames, key, c) for c in noisy}
        wide: dict[str, Any] = {"key": key_text(frames[0], key).to_numpy(dtype=object)}
        wide |= {f"{n} {run}": row for n, v in enumerate(values.values()) for run, row in enumerate(v)}
        if noisy:
            parquet.write_frame(pd.DataFrame(wide), self.root / f"noise/{file}.parquet", f"the noise of '{stage}'")
        return {
            "runs": len(frames),
            "rows": len(frames[0]),
            "asked": max((runs_for(v, 1) for v in values.values()), default=1),
            "columns": {c: float(np.sqrt(np.nanmean(np.nanvar(v, axis=0, ddof=1)))) for c, v in values.items()},
        }

    def _behind(self, stage: str, chain: Sequence[pd.DataFrame]) -> dict[str, Any]:
        """Return the noise of the end-to-end replay of a stage behind a noisy one."""
        noisy: dict[str, None] = {}
        counts: dict[str, list[int]] = {}
        for n, frame in enumerate(chain[1:]):
            parity = _compared(chain[0], frame, self.pipeline, stage)
            _check_rows(stage, parity)
            for c in parity.columns:
                if c.mismatches and _is_float(c.dtype_expected):
                    noisy[c.column] = None
                elif c.mismatches:
                    counts.setdefault(c.column, [0] * (len(chain) - 1))[n] = c.mismatches
        if not noisy and not counts:
            return {}
        return {**self._written(stage, chain, list(noisy), f"{stage}-chained"), "differing": counts}


def check_runs(mode: str, runs: int) -> None:
    """Raise PipelineError for a mode that is not known, or too few runs."""
    if mode not in ("refuse", "record"):
        raise PipelineError(f"capture(noise={mode!r}) is not known. Allowed: 'refuse', 'record'.")
    if not isinstance(runs, int) or runs < LEAST:
        raise PipelineError(f"capture(runs={runs!r}): noise is recorded from {LEAST} runs or more. Example: runs=10.")


def _compared(first: pd.DataFrame, second: pd.DataFrame, pipeline: Pipeline, stage: str) -> Parity:
    key = pipeline.key_of(stage)
    exact = {str(column): EXACT for column in first.columns if column not in key}
    return compare(first, second, tolerances=exact, distributions=False, **pipeline.rows_of(stage))


def _values(frames: Sequence[pd.DataFrame], key: tuple[str, ...], name: str) -> Any:
    """Return a column of every frame, in the order of the rows of the first, shape (k, n)."""
    keys = key_text(frames[0], key)
    found = []
    for frame in frames:
        at = key_text(frame, key).get_indexer(keys)
        found.append(frame[name].to_numpy(dtype="float64", na_value=np.nan)[at])
    return np.array(found)


def _is_float(logical: str) -> bool:
    return logical in ("float16", "float32", "float64")


def _only_numbers(parity: Parity) -> bool:
    numeric = all(c.dtype_ok and not c.null_flips and c.max_abs_diff < float("inf") for c in parity.columns)
    floats = all(_is_float(c.dtype_expected) for c in parity.columns if c.mismatches)
    some = any(c.mismatches for c in parity.columns)
    return some and not _structure(parity) and numeric and floats


def _structure(parity: Parity) -> bool:
    keys = any(k.count for k in (parity.missing_keys, parity.extra_keys, parity.duplicate_keys))
    return keys or bool(parity.missing_columns or parity.extra_columns)


def _check_rows(stage: str, parity: Parity) -> None:
    if _structure(parity) or any(c.null_flips or not c.dtype_ok for c in parity.columns):
        raise StageError(
            stage,
            f"Stage '{stage}' returns other rows, columns, types or nulls where the noise of a stage before it changes "
            "its input, so that the path has no answer to compare with. Make it repeatable, or declare the noisy stage "
            "with Stage(..., samples=Samples(...)).",
        )


def _not_repeatable(stage: str, parity: Parity, numbers: bool) -> StageError:
    noisy = [c.column for c in parity.columns if c.mismatches]
    other = [*noisy, *(c.column for c in parity.columns if c.null_flips or not c.dtype_ok)]
    where = f"column(s) {', '.join(list(dict.fromkeys(other))[:3])}" if other else "its rows or columns"
    how = (
        ", or capture with noise='record' to allow for the noise."
        if numbers
        else ". A stage that answers differently by design is declared with Stage(..., samples=Samples(...))."
    )
    return StageError(
        stage,
        f"Stage '{stage}' is not repeatable: a second run on its stored input gives other values in {where}. "
        "Look for an unseeded random choice, a clock, an index that carries meaning, or a dtype that storage loses"
        f"{how}",
    )
