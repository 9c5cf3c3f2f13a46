"""Targets without a process: the path itself or any step, and a service that is a function."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pandas as pd

from seatrial.errors import UsageError
from seatrial.io import frame_json
from seatrial.io.loading import load_file
from seatrial.pipeline import Pipeline, Step, describe
from seatrial.targets.http import Http
from seatrial.targets.messages import Response, body_of
from seatrial.targets.rest import Rest

Handler = Callable[[httpx.Request], httpx.Response]


class InProcess:
    """A step without a wire.

    Args:
        step: a function from a frame to a frame, or a pipeline, whose whole path is run.
        model: the pipeline's model, loaded or a path.
        clients: the pipeline's dependencies by name; connected by their own URLs where none are given.
    """

    def __init__(self, step: Step | Pipeline, *, model: Any = None, clients: Mapping[str, Any] | None = None) -> None:
        self.url = f"inprocess:{getattr(step, 'name', getattr(step, '__name__', 'step'))}"
        self._step = step
        self._model, self._clients = model, clients

    def __enter__(self) -> InProcess:
        if isinstance(self._step, Pipeline):
            if isinstance(self._model, str | Path) and self._step.model:
                self._model = self._step.model(str(self._model))
            self._clients = self._step.connect() if self._clients is None else self._clients
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind: there is nothing."""

    def step(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Run the step, or the whole path.

        Raises:
            StageError: a stage raised or broke the rule.
        """
        if not isinstance(self._step, Pipeline):
            return self._step(frame)
        for stage in self._step.stages:
            frame = self._step.step(stage, model=self._model, clients=self._clients)(frame)
        return frame

    def send(
        self,
        payload: Any = None,
        *,
        path: str | None = None,  # noqa: ARG002  there are no paths here
        method: str = "POST",  # noqa: ARG002
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
        seconds: float | None = None,  # noqa: ARG002  a function cannot be interrupted
    ) -> Response:
        """Run the step on one request, an object or a list of them; status 200, 422, or 500 where it raised."""
        begin = time.perf_counter()
        try:
            told = json.loads(body_of(payload) or b"null")
            asked = told if isinstance(told, list) else [told]
            frame = pd.DataFrame({frame_json.PAYLOAD: [frame_json.as_text(each) for each in asked]}, dtype="string")
            if not isinstance(self._step, Pipeline):
                frame = frame_json.read([each if isinstance(each, dict) else {} for each in asked], pd.DataFrame())
        except (ValueError, UsageError, RecursionError) as error:
            return _answer(422, {"detail": describe(error)}, begin)
        try:
            rows = frame_json.rows(self.step(frame))
        except Exception as error:  # noqa: BLE001  whatever the step raises is its answer
            return _answer(500, {"detail": describe(error)}, begin)
        return _answer(200, rows if isinstance(told, list) or len(rows) != 1 else rows[0], begin)


class InProcessService(Rest):
    """A JSON service without a process: requests are real HTTP messages, and a function answers each of them.

    Golden and contract test it as any service. What needs a process of its own (load, resilience, the environment of
    the service) does not run.

    Args:
        handler: a function from ``httpx.Request`` to ``httpx.Response``, called from the connections' thread. What it
            raises is a response with status 500, as in any web framework. An ASGI application is
            ``httpx.ASGITransport(app)``.
        path: where one request goes.
        options: ``key``, ``batch`` and the others of :class:`~seatrial.targets.rest.Rest`.

    Example:
        >>> def score(request):
        ...     return httpx.Response(200, json={"id": json.loads(request.content)["id"], "score": 0.5})
        >>> verdict = run(pipeline, reference, ["golden"], service=InProcessService(score, path="/score", key="id"))
    """

    def __init__(self, handler: Handler | httpx.AsyncBaseTransport, *, path: str = "/predict", **options: Any) -> None:
        super().__init__(f"http://in-process{path}", **options)
        self._handler = handler

    def _connect(self, limits: httpx.Limits) -> httpx.AsyncBaseTransport:  # noqa: ARG002  there are no connections
        handler = self._handler
        return handler if isinstance(handler, httpx.AsyncBaseTransport) else httpx.MockTransport(_answering(handler))

    def root(self, *, seconds: float, connections: int = 8) -> Http:
        """Return another client of the same function, from its root."""
        return InProcessService(self._handler, path="/", seconds=seconds, connections=connections)


def from_file(url: str, **_: Any) -> InProcess:
    """Return the target for ``inprocess:path/to/file.py:name``, a step or a pipeline.

    Raises:
        UsageError: no such file, or no step or pipeline of that name in it.
    """
    file, _separator, name = url.removeprefix("inprocess:").partition(":")
    if not name:
        raise UsageError(f"'{url}' names no step. Example: inprocess:path/to/file.py:name.")
    found = getattr(load_file(Path(file)), name, None)
    if not callable(found) and not isinstance(found, Pipeline):
        raise UsageError(f"{file} defines no step or pipeline '{name}'.")
    return InProcess(found)


def _answering(handler: Handler) -> Handler:
    def respond(request: httpx.Request) -> httpx.Response:
        try:
            return handler(request)
        except Exception as error:  # noqa: BLE001  whatever the service raises is its answer
            return httpx.Response(500, json={"detail": type(error).__name__})

    return respond


def _answer(status: int, content: Any, begin: float) -> Response:
    body = frame_json.as_text(content).encode()
    return Response(status, {"content-type": "application/json"}, body, time.perf_counter() - begin)
