"""The parts of a pipeline: stage, dependency, service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

Step = Callable[[pd.DataFrame], pd.DataFrame]
"""A function from a frame to a frame: a stage whose other parameters are filled."""

SERVICE = "service"
"""The place of findings about the running service. No stage and no dependency may have this name."""


@dataclass(frozen=True)
class Stage:
    """A named stage of a pipeline.

    Attributes:
        name: its name in the pipeline.
        function: the function that takes the frame of the previous stage and returns its own.
        needs: the function's other parameters that the pipeline fills: ``model`` or names of dependencies.

    Example:
        >>> from seatrial import Pipeline
        >>> pipeline = Pipeline("shop", key="id", raw=lambda frame: frame, score=lambda frame: frame)
        >>> pipeline.stage("score").name
        'score'
    """

    name: str
    function: Callable[..., pd.DataFrame]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dependency:
    """Something outside the pipeline that a stage calls: a feature store, a database, another service.

    Its responses are recorded when the reference is captured, and stand in for it in every replay, so that a replay
    needs no running dependency.

    Attributes:
        name: the name of the parameter through which stages receive its client.
        url: its address.
        connect: a function from the address to a client.
        fallback: a function that returns the client to use where the dependency has failed. Responses computed with
            it are what a degraded service must return; None where the pipeline declares no fallback.

    Example:
        >>> rates = Dependency("rates", url="postgresql://127.0.0.1/rates", connect=str, fallback=dict)
        >>> rates.fallback()
        {}
    """

    name: str
    url: str
    connect: Callable[[str], Any]
    fallback: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Service:
    """How the served model is started and called.

    ``{port}``, ``{model.path}`` and ``{<dependency>.url}`` are filled in wherever they occur.

    Attributes:
        command: the command that starts it, with ``{port}`` in it or in ``env``. Every name that ends in ``_port``
            is filled with a free port too.
        ready: the path that returns success once the service is ready.
        predict: the path that takes one request, or the address of another kind of target, such as
            ``oip+http://127.0.0.1:{port}/fraud`` (see ``seatrial.targets.connect``).
        openapi: the path of its OpenAPI document; None where it has none.
        env: environment variables to set, beside those of seatrial's own that do not look like credentials.
        batch: the path that takes a list of requests; None where it has none.
        serves: the stage whose frame it returns; None for the last.
        cwd: the folder it runs in; by default the folder of the pipeline's file.
        ready_seconds: the time it may take to become ready, in seconds.

    Example:
        >>> service = Service(["uvicorn", "app:app", "--port", "{port}"], predict="/score", ready_seconds=20)
        >>> service.ready
        '/health'
    """

    command: Sequence[str]
    ready: str = "/health"
    predict: str = "/predict"
    openapi: str | None = "/openapi.json"
    env: Mapping[str, str] = field(default_factory=dict)
    batch: str | None = None
    serves: str | None = None
    cwd: str | Path | None = None
    ready_seconds: float = 60.0
