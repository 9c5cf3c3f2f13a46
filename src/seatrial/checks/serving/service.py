"""The trial's own service: started once, when a check first needs it, and ended with the trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seatrial.errors import UsageError
from seatrial.pipeline import Pipeline, Service
from seatrial.process.running import Running
from seatrial.targets import connect
from seatrial.targets.launch import fill, folder_of, start, values_of
from seatrial.targets.protocol import Target
from seatrial.trial import Trial


@dataclass(frozen=True)
class Live:
    """A running service and how to speak to it."""

    service: Service
    running: Running
    target: Target


def can_serve(trial: Trial) -> bool:
    """Whether the pipeline has a service that can be started here: one that loads a model needs the model's path."""
    service = trial.pipeline.service
    if service is None:
        return False
    needs_model = any("{model.path}" in text for text in (*service.command, *service.env.values()))
    return trial.model_path is not None or not needs_model


def live(trial: Trial) -> Live:
    """Return the trial's service, started the first time it is asked for; the same for every check.

    Raises:
        AnswerError: it ended by itself, or refused to be ready.
        TargetError: it cannot be started, or was not ready in time.
    """
    return trial.once("live service", lambda: _start(trial))


def serve(pipeline: Pipeline, *, model_path: str | None = None, urls: Mapping[str, str] | None = None) -> Running:
    """Start a pipeline's service; use it in a ``with`` block.

    Args:
        pipeline: its ``service`` is started.
        model_path: the local path of the version's model.
        urls: dependency name to the address it is given in place of its own, such as that of a proxy.
    """
    if pipeline.service is None:
        raise UsageError(f"Pipeline '{pipeline.name}' has no service: declare one with Service(command=…).")
    return start(pipeline.service, values=values_of(pipeline, model_path, urls), cwd=folder_of(pipeline))


def target_of(pipeline: Pipeline, running: Running, *, seconds: float = 30.0) -> Target:
    """Return the target that speaks to a pipeline's running service; use it in a ``with`` block."""
    service = pipeline.service
    assert service is not None
    if not service.predict.startswith("/"):
        return connect(fill(service.predict, running.values), key=pipeline.key, seconds=seconds)
    url = f"rest+{running.url}{service.predict}"
    return connect(url, key=pipeline.key, batch=service.batch, seconds=seconds)


def _start(trial: Trial) -> Live:
    assert trial.pipeline.service is not None
    running = trial.hold(serve(trial.pipeline, model_path=trial.model_path))
    target = trial.hold(target_of(trial.pipeline, running, seconds=trial.policy.golden.timeout_seconds))
    return Live(trial.pipeline.service, running, target)
