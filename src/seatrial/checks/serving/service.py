"""The trial's own service: started once, when a check first needs it, and ended with the trial."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from seatrial.errors import UsageError
from seatrial.pipeline import Pipeline, Service
from seatrial.pipeline.hooks import Hooks
from seatrial.process.running import Running
from seatrial.targets import connect
from seatrial.targets.http import Http
from seatrial.targets.launch import fill, folder_of, start, values_of
from seatrial.targets.protocol import Target
from seatrial.targets.shapes.shaped import Shaped
from seatrial.trial import Trial


@dataclass(frozen=True)
class LiveService:
    """A service under trial: its declaration, the target that sends requests to it, and its process.

    ``running`` is None where the service was handed to the trial: how it ends is then not ours to see.
    """

    service: Service
    running: Running | None
    target: Target

    def ended(self, within_seconds: float = 0.0) -> str | None:
        """Return how its process ended, such as ``code 1``; None while it runs, or where it is not ours."""
        return None if self.running is None else self.running.ended(within_seconds)

    def stopped(self, within_seconds: float = 2.0) -> str | None:
        """Return how a service ended that stopped responding; None where it still listens, or is not ours."""
        if self.running is None:
            return None
        until = time.monotonic() + within_seconds  # its guard needs a moment to notice
        while (how := self.running.ended()) is None and time.monotonic() < until and not self.running.listens():
            time.sleep(0.05)
        return how

    def tail(self) -> str:
        """Return the end of its log, as one or more sentences; empty where it is not ours."""
        return "" if self.running is None else self.running.tail()

    def root(self, *, seconds: float, connections: int = 8) -> Http:
        """Return a client of its root path, whatever protocol its predictions speak; use it in a ``with`` block."""
        if self.running is not None:
            return Http(self.running.url, seconds=seconds, connections=connections)
        if not isinstance(self.target, Http):
            raise UsageError(f"The service at {self.target.url} has no HTTP address for its OpenAPI document.")
        return self.target.root(seconds=seconds, connections=connections)


def can_serve(trial: Trial) -> bool:
    """Whether there is a service to send requests to: one handed to the trial, or one that can be started here."""
    return trial.service is not None or can_start(trial)


def can_start(trial: Trial) -> bool:
    """Whether the pipeline has a service that can be started here; one that loads a model needs the model's path."""
    service = trial.pipeline.service
    if service is None:
        return False
    needs_model = any("{model.path}" in text for text in (*service.command, *service.env.values()))
    return trial.model_path is not None or not needs_model


def only_json(trial: Trial, path: str | None, setting: str) -> str:
    """Return why plain JSON records cannot be sent to the trial's service, as a sentence; empty where they can.

    Args:
        trial: whose service it is.
        path: that takes JSON records, where one is set.
        setting: where it is set, such as ``[slo]``.
    """
    service = trial.pipeline.service
    if path is not None or service is None or not service.shaped:
        return ""
    return (
        "JSON records are sent here, and the service takes requests of another shape: its Service declares request=, "
        f"response=, envelope= or poll_seconds=. Set path in {setting} of service.toml to a path that takes JSON "
        "records, or skip the check."
    )


def live_service(trial: Trial) -> LiveService:
    """Return the trial's service: started on the first call, shared by every check.

    Raises:
        AnswerError: the service ended by itself, or refused to become ready.
        TargetError: the service cannot be started, or was not ready in time.
    """
    return trial.once("live service", lambda: _start(trial))


def serve(trial: Trial, *, model_path: str | None = None, urls: Mapping[str, str] | None = None) -> Running:
    """Start a pipeline's service; use it in a ``with`` block.

    Args:
        trial: of the pipeline whose ``service`` is started.
        model_path: the local path of the model; by default that of the version.
        urls: dependency name to an address that replaces its own, such as that of a proxy.
    """
    pipeline = trial.pipeline
    if pipeline.service is None:
        raise UsageError(f"Pipeline '{pipeline.name}' has no service: declare one with Service(command=…).")
    values = values_of(pipeline, model_path or trial.model_path, urls)
    return start(pipeline.service, values=values, cwd=folder_of(pipeline), sandbox=trial.sandbox)


def target_of(pipeline: Pipeline, running: Running, *, hooks: object = None, seconds: float = 30.0) -> Target:
    """Return the target that sends requests to a pipeline's running service; use it in a ``with`` block.

    Args:
        pipeline: whose service it is.
        running: the service.
        hooks: the replayer of the pipeline, which runs the service's hooks.
        seconds: the deadline of one request.
    """
    service = pipeline.service
    assert service is not None
    if not service.predict.startswith("/"):
        return connect(fill(service.predict, running.values), key=pipeline.key, seconds=seconds)
    if service.shaped:
        url = f"{running.url}{service.predict}"
        own = hooks if isinstance(hooks, Hooks) else None
        return Shaped(url, service=service, hooks=own, key=pipeline.key, seconds=seconds)
    url = f"rest+{running.url}{service.predict}"
    return connect(url, key=pipeline.key, batch=service.batch, seconds=seconds)


def _start(trial: Trial) -> LiveService:
    if trial.service is not None:
        declared = trial.pipeline.service or Service(command=(), openapi=None)
        return LiveService(declared, None, trial.hold(trial.service))
    assert trial.pipeline.service is not None
    running = trial.hold(serve(trial))
    seconds = trial.policy.golden.timeout_seconds
    target = trial.hold(target_of(trial.pipeline, running, hooks=trial.replayer, seconds=seconds))
    return LiveService(trial.pipeline.service, running, target)
