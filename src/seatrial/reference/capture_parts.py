"""Capture a reference in partitions, from requests in files, with about one partition of a stage in memory at a time.

Each stage runs on one partition after the other. That is right where its answer for a request does not depend on the
others, which is looked at in each partition: a sample of its requests, asked alone, must get the same answers. A stage
for which they do not, or that declares it, runs on the rows of all partitions together; the manifest says so.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import PipelineError
from seatrial.formatting import part_of
from seatrial.io import bundle, parquet
from seatrial.parity.compare import Tolerance, compare
from seatrial.parity.streaming.frames.stack import stacked
from seatrial.pipeline import Pipeline, Returned, misnamed, own_copy, request_numbers, row_index
from seatrial.reference.layout.entries import check_something, manifest_of, stage_entry
from seatrial.reference.layout.partition import part_name
from seatrial.reference.layout.split import PartedRequests, part_requests
from seatrial.reference.noise import LEAST, Recorder
from seatrial.reference.profile import profile
from seatrial.reference.recording import RecordingClient
from seatrial.reference.snapshot import Reference

ASKED = 200  # requests of a partition that are asked again alone
_SUMS = Tolerance(ulp=65)  # as BLAS sums in another order for another shape


def capture_parts(pipeline: Pipeline, requests: Path, *, model: Any, seed: int, partitions: int | None) -> Reference:
    """Run the path on the requests of Parquet files and keep what every stage returned, partition by partition.

    Args:
        pipeline: the path.
        requests: a Parquet file, or a folder of them.
        model: the loaded model.
        seed: the seed the requests were drawn with, kept in the manifest.
        partitions: how many; by default by their size.

    Raises:
        UsageError, PipelineError: the requests cannot be read, parted or answered so.
        StageError: a stage that breaks the rule or is not repeatable.
    """
    if sampled := next((s for s in pipeline.stages if pipeline.stage(s).samples is not None), None):
        raise PipelineError(
            f"Stage '{sampled}' declares samples=, and a reference in partitions keeps one answer of each row. Capture "
            "a frame of some of the requests: capture(pipeline, pandas.read_parquet(...))."
        )
    keep = tempfile.TemporaryDirectory(prefix="seatrial-reference-")
    work, root = Path(keep.name) / "requests", Path(keep.name) / "reference"
    parted = part_requests(requests, pipeline.key_of(), partitions, work)
    together_of = {s: why for s in pipeline.stages if (why := pipeline.stage(s).batch_dependent)}
    manifest = None
    while manifest is None:
        root.mkdir()
        try:
            manifest = _Capture(pipeline, model, parted, root, together_of).run(seed)
        except _LooksAcrossError as found:
            together_of |= {found.stage: found.detail}
            shutil.rmtree(root)
    shutil.rmtree(work)
    return Reference(root, bundle.seal(root, manifest), keep)


class _LooksAcrossError(Exception):
    """The answers of a stage depend on the other requests of a partition."""

    def __init__(self, stage: str, detail: str) -> None:
        super().__init__(stage, detail)
        self.stage, self.detail = stage, detail


@dataclass
class _Capture:
    """One attempt, in which the stages of ``whole`` run on all rows together; by stage, why."""

    pipeline: Pipeline
    model: Any
    requests: PartedRequests
    root: Path
    whole: Mapping[str, str]
    entries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clients = self.pipeline.connect()
        self.recorders = {name: RecordingClient(name, client) for name, client in self.clients.items()}
        self.columns: set[str] = set()
        self.profiles: dict[str, Any] = {}

    @property
    def count(self) -> int:
        return len(self.requests.files)

    def run(self, seed: int) -> dict[str, Any]:
        """Run every stage, and return the manifest without its files."""
        for number in range(self.count):
            frame = self.requests.frame(number)
            if wrong := misnamed(frame):
                raise PipelineError(f"The requests have {wrong}.")
            self._write(frame, "requests.parquet", number, "the requests")
        for segment in self._segments():
            if segment[0] in self.whole:
                self._together(segment[0])
            else:
                for number in range(self.count):
                    self._in_turn(segment, number)
        for stage in self.pipeline.stages:
            rows = sum(entry["rows"] for entry in self.entries[stage])
            columns = {c for entry in self.entries[stage] for c in entry["columns"]}
            check_something(stage, rows, columns, self.pipeline.key_of())
        (self.root / "profile.json").write_text(json.dumps(self.profiles, sort_keys=True, allow_nan=False), "utf-8")
        stages = {stage: self._entry(stage) for stage in self.pipeline.stages}
        manifest = manifest_of(self.pipeline, stages, self.recorders, self.root, seed)
        parting = {"count": self.requests.parting.count, "kept": list(self.requests.parting.kept)}
        manifest |= {"partitions": self.count, "parting": parting, "requests": self.requests.rows}
        manifest |= {"noise": {}, "samples": {}}
        self._repeat(manifest)
        return manifest

    def _segments(self) -> list[list[str]]:
        """Return the stages that run one after the other on a partition, and each that runs on all rows by itself."""
        found: list[list[str]] = []
        for stage in self.pipeline.stages:
            if stage in self.whole or not found or found[-1][0] in self.whole:
                found.append([])
            found[-1].append(stage)
        return found

    def _in_turn(self, stages: Sequence[str], number: int) -> None:
        """Run some stages on a partition, each on what the one before returned, as in the service."""
        last: Any = Returned.of(own_copy(self._before(stages[0], number)))
        given = last.frame
        for stage in stages:
            given = own_copy(given)  # the stage may write into what it gets
            last = self._step(stage)(last)
            out = own_copy(last.frame)  # and the next one into what this one returned
            self._alone(stage, given, out)
            self._keep(stage, out, number)
            given = out

    def _together(self, stage: str) -> None:
        """Run a stage on the rows of all partitions, and part what it returns."""
        given = stacked([self._before(stage, number) for number in range(self.count)])
        out = self._step(stage)(Returned.of(given)).frame
        key = self.pipeline.key_of()
        requests = self.requests.frame(0)
        types = [requests[name].dtype for name in key]
        if other := [name for name, kind in zip(key, types, strict=True) if out[name].dtype != kind]:
            raise PipelineError(
                f"Stage '{stage}' looks across requests ({self.whole[stage]}), and returns key '{other[0]}' as "
                f"{out[other[0]].dtype}; the requests have {requests[other[0]].dtype}. Rows of another type of key "
                f"cannot be told to partitions: return '{other[0]}' as it came, or capture a frame of requests."
            )
        for number, part in enumerate(self.requests.parting.parts(out, key, types)):
            part.attrs = {**out.attrs}
            self._keep(stage, part, number)

    def _alone(self, stage: str, given: pd.DataFrame, out: pd.DataFrame) -> None:
        """Ask for some requests of a partition alone, and see that their answers are the same.

        Raises:
            _LooksAcrossError: they are not.
        """
        key = self.pipeline.key_of()
        if self.pipeline.stage(stage).calls is not None or not set(key) <= {*given.columns}:
            return
        numbers = request_numbers(given, key)
        many = int(numbers.max(initial=-1)) + 1
        if many <= 1:
            return
        few = given[numbers < min(ASKED, many // 2)].reset_index(drop=True)
        few.attrs = {**given.attrs}
        answer = self._step(stage, recorded=False)(Returned.of(own_copy(few))).frame
        chosen = out[row_index(out, key).isin(row_index(few, key))]
        floats = [c for c in out.columns if str(out[c].dtype).lower() in ("float64", "float32")]
        tolerances = {str(c): _SUMS for c in floats if c not in self.pipeline.key_of(stage)}
        found = compare(
            chosen, answer, tolerances=tolerances, scale_of=out, distributions=False, **self.pipeline.rows_of(stage)
        )
        differ = [c for c in found.columns if c.mismatches or c.null_flips]
        keys = found.missing_keys.count + found.extra_keys.count
        if not differ and not keys:
            return
        where = f"column '{differ[0].column}' of " if differ else ""
        size = differ[0].mismatches + differ[0].null_flips if differ else keys
        raise _LooksAcrossError(
            stage, f"asked alone, {where}{part_of(size, max(len(chosen), 1), 'rows')} came back different"
        )

    def _repeat(self, manifest: Mapping[str, Any]) -> None:
        """Run each stage again as it comes back from storage: on the first partition, or on all where it ran on all."""
        stored = Reference(self.root, {**manifest, "files": {}})
        clients = stored.clients()

        def again(stage: str, frame: pd.DataFrame) -> pd.DataFrame:
            step = self.pipeline.step(stage, model=self.model, clients=clients, columns=stored.columns)
            return step(own_copy(frame))

        for stage in self.pipeline.stages:
            numbers = range(self.count) if stage in self.whole else range(1)
            first = stacked([self._read(f"stages/{stage}.parquet", number) for number in numbers])
            given = partial(lambda numbers, stage: stacked([self._before(stage, n) for n in numbers]), numbers)
            Recorder(self.pipeline, again, self.root, "refuse", LEAST).record({stage: first}, given)

    def _step(self, stage: str, *, recorded: bool = True) -> Any:
        clients = self.recorders if recorded else self.clients
        return self.pipeline.step(stage, model=self.model, clients=clients, columns=self.columns)

    def _before(self, stage: str, number: int) -> pd.DataFrame:
        before = self.pipeline.before(stage)
        name = "requests.parquet" if before is None else f"stages/{before}.parquet"
        return self._read(name, number)

    def _read(self, name: str, number: int) -> pd.DataFrame:
        return parquet.read_frame(self.root / part_name(name, number))

    def _keep(self, stage: str, out: pd.DataFrame, number: int) -> None:
        entry = stage_entry(self.pipeline, stage, out)
        before = self.entries.setdefault(stage, [])
        if before and [*entry["columns"]] != [*before[0]["columns"]]:
            raise _LooksAcrossError(stage, "it returned other columns for some requests than for others")
        self._write(out, f"stages/{stage}.parquet", number, f"stage '{stage}'")
        self.columns |= {str(c) for c in out.columns}
        if number == 0:
            self.profiles[stage] = profile(out)
        before.append(entry)

    def _write(self, frame: pd.DataFrame, name: str, number: int, what: str) -> None:
        parquet.write_frame(frame, self.root / part_name(name, number), what)

    def _entry(self, stage: str) -> dict[str, Any]:
        found = self.entries[stage]
        typical = next((entry for entry in found if entry["rows"]), found[0])
        rows = [entry["rows"] for entry in found]
        entry = {**typical, "rows": int(np.sum(rows)), "indexed": any(e["indexed"] for e in found), "parts": rows}
        return {**entry, "whole": self.whole[stage]} if stage in self.whole else entry
