"""The pipeline as a worker describes it: what it declares is here, and what it would call runs in the worker alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seatrial.errors import PipelineError
from seatrial.isolation import messages
from seatrial.pipeline import Dependency, Key, Pipeline, Samples, Service, Stage


def described(opened: messages.Opened, source: tuple[Path, str]) -> Pipeline:
    """Return the pipeline that a worker describes.

    Raises:
        PipelineError: it could not have been put together so.
    """
    service = opened.service
    pipeline = Pipeline(
        opened.name,
        key=_key(opened.key),
        model=_elsewhere("the model") if opened.loads_model else None,
        dependencies=[
            Dependency(d.name, d.url, _elsewhere(d.name), _elsewhere(d.name) if d.fallback else None)
            for d in opened.dependencies
        ],
        service=None if service is None else _service(service),
        **{s.name: _stage(s) for s in opened.stages},
    )
    pipeline.source = source
    return pipeline


def _service(record: messages.ServiceRecord) -> Service:
    hooks = {name: _elsewhere(hook) if (hook := getattr(record, name)) else None for name in ("request", "response")}
    return Service(**{**record.model_dump(), **hooks})


def _key(columns: Sequence[str]) -> Key:
    return columns[0] if len(columns) == 1 else tuple(columns)


def _stage(record: messages.StageRecord) -> Stage:
    samples = record.samples
    return Stage(
        _elsewhere(record.name),
        key=None if record.key is None else _key(record.key),
        ordered=record.ordered,
        samples=None if samples is None else Samples(**samples.model_dump()),
        calls=record.calls,
        columns=tuple(record.columns),
        batch_dependent=record.batch_dependent,
        needs=tuple(record.needs),
    )


def _elsewhere(what: str) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise PipelineError(f"'{what}' of this pipeline runs in a process of its own; ask its replayer.")

    return refuse
