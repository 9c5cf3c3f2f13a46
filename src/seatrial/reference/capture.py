"""Capture a reference: run the path once, keep what every stage gave, and see that each of them repeats itself."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import unwrap
from pathlib import Path
from typing import Any, ParamSpec

import numpy as np
import pandas as pd

from seatrial import plugins
from seatrial.errors import PipelineError, SeatrialError, StageError
from seatrial.io import bundle, parquet
from seatrial.io.tracebacks import shown
from seatrial.pipeline import Pipeline, Returned, check_keyed, misnamed, own_copy, row_index
from seatrial.reference.capture_parts import capture_parts
from seatrial.reference.layout.entries import check_something, manifest_of, stage_entry
from seatrial.reference.noise import Mode, Recorder, check_runs
from seatrial.reference.profile import profile
from seatrial.reference.recording import RecordingClient
from seatrial.reference.snapshot import Reference

P = ParamSpec("P")


def _for_its_author(capturing: Callable[P, Reference]) -> Callable[P, Reference]:
    """Have what a stage raised told with its text: whoever captures has the rows anyway."""

    @wraps(capturing)
    def told(*args: P.args, **kwargs: P.kwargs) -> Reference:
        try:
            return capturing(*args, **kwargs)
        except StageError as error:
            if error.__cause__ is None or isinstance(error.__cause__, SeatrialError):
                raise
            raise StageError(
                error.stage,
                f"Stage '{error.stage}' raised {shown(error)}. Nothing was captured: each stage must return a frame "
                f"for these requests. To look into it, call the function of '{error.stage}' on the frame of the stage "
                "before.",
            ) from error.__cause__

    return told


@_for_its_author
def capture(
    pipeline: Pipeline,
    requests: pd.DataFrame | str | Path,
    *,
    model: Any = None,
    given: Mapping[str, pd.DataFrame] | None = None,
    labels: pd.DataFrame | None = None,
    seed: int = 0,
    noise: Mode = "refuse",
    runs: int = 10,
    run_id: str | None = None,
    registry: str = "models",
    partitions: int | None = None,
) -> Reference:
    """Run the path on ``requests`` and keep every stage's output and every dependency's answers.

    Each stage is run a second time, on its input and with the answers as they come back from storage; a stage that
    then differs from itself is refused, or its noise is recorded from several runs and allowed for (see
    ``docs/how-to/noise.md``). A stage with ``samples`` is run several times, and all its answers are kept.

    Requests in Parquet files, given by their path, may be more than memory holds: the reference is then written in
    partitions by the hash of their key, and about one partition of a stage is in memory at a time. What the
    dependencies answered is in memory whole. In each partition 200 requests are also asked alone: a stage that answers
    them differently, or declares ``batch_dependent``, runs on the rows of all partitions together. Of the first
    partition every stage is run a second time. See ``docs/how-to/large-references.md``.

    Args:
        pipeline: the path.
        requests: the request rows as they arrive, as many rows as the reference shall have; or the path of a Parquet
            file of them, or of a folder of such files.
        model: the loaded model, or the local path of one that ``pipeline.model`` loads.
        given: frames that training itself used, by stage, each with the key column. They replace the stage's
            output, so that serving is compared with training and not with itself.
        labels: the columns of a key and what came true, for the quality check. The key is the request's, or that of a
            stage with several rows a request.
        seed: the seed the requests were drawn with, kept in the manifest.
        noise: ``refuse`` a stage that is not repeatable, or ``record`` by how much.
        runs: how often a noisy stage is run to record its noise, at least: 5 or more. One whose rows are few, or share
            their noise, is run up to 60 times.
        run_id: the run to store the reference with, beside its model.
        registry: where that run is: the scheme of an installed registry, MLflow's by default.
        partitions: how many, where ``requests`` is a path: by default so many that one has about 64 MB of requests,
            and at most about 250,000.

    Raises:
        StageError: a stage that breaks the rule or is not repeatable.
        PipelineError: a given frame or labels that do not fit the path, or no rows at all.
        RegistryError: the registry cannot store the reference.
    """
    check_runs(noise, runs)
    store = None if run_id is None else plugins.load("registries", registry)()
    if isinstance(requests, str | Path):
        _check_alone(given, labels, noise)
        reference = capture_parts(
            pipeline, Path(requests), model=_loaded(pipeline, model), seed=seed, partitions=partitions
        )
        if store is not None:
            store.store_reference(reference, run_id)
        return reference
    _check_requests(requests, partitions)
    for stage in given or {}:
        pipeline.stage(stage)
    given = {stage: _with_key(frame, pipeline.key_of(stage)) for stage, frame in (given or {}).items()}
    model = _loaded(pipeline, model)
    keep = tempfile.TemporaryDirectory(prefix="seatrial-reference-")
    root = Path(keep.name)
    recorders = {name: RecordingClient(name, client) for name, client in pipeline.connect().items()}
    outputs: dict[str, pd.DataFrame] = {}
    stages: dict[str, Any] = {}
    profiles: dict[str, Any] = {}
    parquet.write_frame(requests, root / "requests.parquet", "the requests")
    fresh = requests
    last: Any = Returned.of(own_copy(requests))
    for stage in pipeline.stages:
        step = pipeline.step(stage, model=model, clients=recorders, columns=_columns(outputs, given))
        last = step(last)
        fresh = out = outputs[stage] = own_copy(last.frame)  # the next stage may write into it
        check_something(stage, len(out), out.columns, pipeline.key_of())
        if stage in given:
            fresh = _given(stage, given[stage], out, pipeline.key_of(stage))
            fresh.attrs = {**out.attrs}  # the next stage gets it in the form that this one returns
            last = Returned.of(own_copy(fresh))
        parquet.write_frame(fresh, root / "stages" / f"{stage}.parquet", f"stage '{stage}'")
        stages[stage] = stage_entry(pipeline, stage, fresh, given=stage in given)
        profiles[stage] = profile(fresh)
    if labels is not None:
        parquet.write_frame(_labels(labels, outputs, pipeline), root / "labels.parquet", "the labels")
    (root / "profile.json").write_text(json.dumps(profiles, sort_keys=True, allow_nan=False), encoding="utf-8")
    manifest = manifest_of(pipeline, stages, recorders, root, seed)
    stored = Reference(root, {**manifest, "files": {}})
    clients = stored.clients()

    def again(stage: str, frame: pd.DataFrame) -> pd.DataFrame:
        return pipeline.step(stage, model=model, clients=clients, columns=stored.columns)(own_copy(frame))

    # What storage does to a frame, a replay would see.
    firsts = {stage: out if stage in given else stored.frame(stage) for stage, out in outputs.items()}
    noisy = Recorder(pipeline, again, root, noise, runs).record(firsts, stored.input_of)
    reference = Reference(root, bundle.seal(root, {**manifest, **noisy}), keep)
    if store is not None:
        store.store_reference(reference, run_id)
    return reference


captured: Callable[..., Reference] = unwrap(capture)
"""Captures as :func:`capture` does; what a stage raised is told without its text, which may hold values."""


def _loaded(pipeline: Pipeline, model: Any) -> Any:
    return pipeline.model(str(model)) if isinstance(model, str | Path) and pipeline.model else model


def _check_requests(requests: Any, partitions: int | None) -> None:
    if not isinstance(requests, pd.DataFrame):
        raise PipelineError(
            f"capture was given requests as {type(requests).__name__}; it takes a pandas DataFrame, or the path of "
            "Parquet files."
        )
    if partitions is not None:
        raise PipelineError(
            "capture(partitions=...) is for requests in Parquet files; a frame is captured whole. Write it with "
            "requests.to_parquet(...), and give its path."
        )
    if wrong := misnamed(requests):
        raise PipelineError(f"The requests have {wrong}.")
    if not len(requests):
        raise PipelineError("capture was given no request rows; a reference of nothing would pass anything.")


def _check_alone(given: Any, labels: Any, noise: Mode) -> None:
    """Refuse what a reference in partitions cannot hold."""
    for name, stated in (("given", bool(given)), ("labels", labels is not None), ("noise", noise != "refuse")):
        if stated:
            raise PipelineError(
                f"capture({name}=...) needs requests as a frame; they were given as a path. Capture a frame of some of "
                "the requests: capture(pipeline, pandas.read_parquet(...), ...)."
            )


def _columns(outputs: Mapping[str, pd.DataFrame], given: Mapping[str, pd.DataFrame]) -> frozenset[str]:
    return frozenset(c for frame in (*outputs.values(), *given.values()) for c in frame.columns)


def _with_key(frame: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    indexed = [name for name in frame.index.names if name is not None]
    return frame.reset_index() if set(indexed) & set(key) - set(frame.columns) else frame


def _given(stage: str, frame: pd.DataFrame, out: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    try:
        check_keyed(stage, key, frame)
    except StageError as error:
        raise PipelineError(f"The frame given for stage '{stage}' cannot replace its output. {error}") from error
    known, wanted = row_index(frame, key), row_index(out, key)
    lost = int((~wanted.isin(known)).sum())
    if lost:
        raise PipelineError(
            f"The frame given for stage '{stage}' lacks {lost:,} of the {len(out):,} keys of the requests. "
            "Give the rows that training used for exactly these requests."
        )
    return frame[known.isin(wanted)].reset_index(drop=True)


def _labels(labels: pd.DataFrame, stages: Mapping[str, pd.DataFrame], pipeline: Pipeline) -> pd.DataFrame:
    """Return the labels of rows that a stage has; they are named by the longest key of which all columns are there."""
    keys = sorted({pipeline.key_of(), *(pipeline.key_of(stage) for stage in stages)}, key=len, reverse=True)
    labels = _with_key(labels, keys[0])
    key = list(next((k for k in keys if set(k) < set(labels.columns)), pipeline.key_of()))
    listed = ", ".join(f"'{name}'" for name in key)
    if wrong := misnamed(labels):
        raise PipelineError(f"Labels have {wrong}.")
    if not set(key) <= set(labels.columns) or len(labels.columns) <= len(key):
        raise PipelineError(
            f"Labels need the key column{'s' if len(key) > 1 else ''} {listed} and a label; got: "
            f"{', '.join(map(str, labels.columns))}."
        )
    if labels.duplicated(key).any() or labels[key].isna().any(axis=None):
        raise PipelineError(f"Labels have a null or repeated key in {listed}; each row has one label.")
    known, of_a_row = row_index(labels, key), np.zeros(len(labels), dtype=bool)
    for frame in stages.values():
        if set(key) <= set(frame.columns):
            of_a_row |= known.isin(row_index(frame, key))
    if not of_a_row.any():
        raise PipelineError("None of the labels' keys is a key of the requests.")
    return labels[of_a_row].reset_index(drop=True)
