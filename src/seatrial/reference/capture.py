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
from seatrial.parity.reading import column
from seatrial.pipeline import Pipeline, Returned, check_keyed, misnamed, own_copy, row_index
from seatrial.reference.environment import environment
from seatrial.reference.noise import Mode, Recorder, check_runs
from seatrial.reference.profile import profile
from seatrial.reference.recording import Answers, RecordingClient
from seatrial.reference.snapshot import FORMAT, Reference

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
    requests: pd.DataFrame,
    *,
    model: Any = None,
    given: Mapping[str, pd.DataFrame] | None = None,
    labels: pd.DataFrame | None = None,
    seed: int = 0,
    noise: Mode = "refuse",
    runs: int = 10,
    run_id: str | None = None,
    registry: str = "models",
) -> Reference:
    """Run the path on ``requests`` and keep every stage's output and every dependency's answers.

    Each stage is run a second time, on its input and with the answers as they come back from storage; a stage that
    then differs from itself is refused, or its noise is recorded from several runs and allowed for (see
    ``docs/how-to/noise.md``). A stage with ``samples`` is run several times, and all its answers are kept.

    Args:
        pipeline: the path.
        requests: the request rows as they arrive, as many rows as the reference shall have.
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

    Raises:
        StageError: a stage that breaks the rule or is not repeatable.
        PipelineError: a given frame or labels that do not fit the path, or no rows at all.
        RegistryError: the registry cannot store the reference.
    """
    check_runs(noise, runs)
    store = None if run_id is None else plugins.load("registries", registry)()
    _check_requests(requests)
    for stage in given or {}:
        pipeline.stage(stage)
    given = {stage: _with_key(frame, pipeline.key_of(stage)) for stage, frame in (given or {}).items()}
    if isinstance(model, str | Path) and pipeline.model:
        model = pipeline.model(str(model))
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
        _check_something(stage, out, pipeline.key_of())
        if stage in given:
            fresh = _given(stage, given[stage], out, pipeline.key_of(stage))
            fresh.attrs = {**out.attrs}  # the next stage gets it in the form that this one returns
            last = Returned.of(own_copy(fresh))
        parquet.write_frame(fresh, root / "stages" / f"{stage}.parquet", f"stage '{stage}'")
        stages[stage] = {
            "rows": len(fresh),
            "given": stage in given,
            "indexed": not (fresh.index.nlevels == 1 and fresh.index.equals(pd.RangeIndex(len(fresh)))),
            "columns": {c: column(fresh[c]).logical for c in fresh.columns},  # the same on every release of pandas
        }
        if (own := pipeline.stage(stage).key) is not None:
            stages[stage]["key"] = own if isinstance(own, str) else list(own)
        profiles[stage] = profile(fresh)
    if labels is not None:
        parquet.write_frame(_labels(labels, outputs, pipeline), root / "labels.parquet", "the labels")
    (root / "profile.json").write_text(json.dumps(profiles, sort_keys=True, allow_nan=False), encoding="utf-8")
    manifest = {
        "kind": "reference",
        "format": FORMAT,
        "pipeline": pipeline.name,
        "key": pipeline.key if isinstance(pipeline.key, str) else list(pipeline.key),
        "path": list(pipeline.stages),
        "stages": stages,
        "dependencies": {name: _write_answers(name, r.answers(), root) for name, r in recorders.items()},
        "seed": seed,
        "environment": environment(),
        "apart": ["environment"],  # the digest is of what was captured, wherever that was
    }
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


def _check_requests(requests: Any) -> None:
    if not isinstance(requests, pd.DataFrame):
        raise PipelineError(f"capture was given requests as {type(requests).__name__}; it takes a pandas DataFrame.")
    if wrong := misnamed(requests):
        raise PipelineError(f"The requests have {wrong}.")
    if not len(requests):
        raise PipelineError("capture was given no request rows; a reference of nothing would pass anything.")


def _columns(outputs: Mapping[str, pd.DataFrame], given: Mapping[str, pd.DataFrame]) -> frozenset[str]:
    return frozenset(c for frame in (*outputs.values(), *given.values()) for c in frame.columns)


def _check_something(stage: str, out: pd.DataFrame, request: Sequence[str]) -> None:
    """Refuse an answer that holds nothing to compare: a reference of nothing would pass anything."""
    if not len(out) or not set(out.columns) - {*request}:
        lack = "no row" if not len(out) else f"no column beside {'the key' if len(request) == 1 else 'the keys'}"
        raise StageError(stage, f"Stage '{stage}' returned {lack}; there would be nothing to compare it by.")


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


def _write_answers(name: str, answers: Answers, root: Path) -> dict[str, Any]:
    parts = []
    for n, lookup in enumerate(answers.lookups.values()):
        parquet.write_frame(lookup.asked, root / f"answers/{name}-{n}-asked.parquet", f"the keys asked of '{name}'")
        parquet.write_frame(lookup.rows, root / f"answers/{name}-{n}-rows.parquet", f"the answers of '{name}'")
        parts.append({**lookup.layout, "on": list(lookup.on)})
    return {"lookups": parts, "calls": dict(answers.calls)}
