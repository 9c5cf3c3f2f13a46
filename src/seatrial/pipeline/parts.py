"""The parts of a pipeline: stage, dependency, service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import PipelineError
from seatrial.pipeline.address import check_address, check_stop, named_protocol, own_path
from seatrial.pipeline.envelopes import split_envelope

Step = Callable[[pd.DataFrame], pd.DataFrame]
"""A function from a frame to a frame: a stage whose other parameters are filled."""

SERVICE = "service"
"""The place of findings about the running service. No stage and no dependency may have this name."""


Key = str | tuple[str, ...]
"""The column, or the columns together, that name a row; unique and never null."""


@dataclass(frozen=True)
class Samples:
    """How a stage that answers differently each time is judged: by the share of its answers that agree.

    Attributes:
        n: how often it is asked for each row.
        at_least: the share of the answers that must agree with the recorded ones, 0 to 1.
        confidence: at which the share is judged, by exact binomial bounds.

    Raises:
        PipelineError: a number out of range.

    Example:
        >>> Samples(5, at_least=0.9)
        Samples(n=5, at_least=0.9, confidence=0.95)
    """

    n: int
    at_least: float = 0.9
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not (isinstance(self.n, int) and self.n >= 1):
            raise PipelineError(
                f"Samples(n={self.n!r}): a stage is asked once or more. Give a whole number, 1 or more."
            )
        if not 0 < self.at_least <= 1:
            raise PipelineError(f"Samples(at_least={self.at_least!r}): a share lies above 0 and is at most 1.")
        if not 0.5 < self.confidence < 1:
            raise PipelineError(f"Samples(confidence={self.confidence!r}): a confidence lies between 0.5 and 1.")


@dataclass(frozen=True)
class Stage:
    """A stage of a pipeline, and what is to know of it; a plain function is a stage of which nothing is said.

    Attributes:
        function: the function that takes the frame of the previous stage and returns its own.
        key: the columns that name a row of its frame, where it returns several rows for a request; they begin with
            those of the pipeline's key.
        ordered: the order of its rows is part of the answer.
        samples: how it is judged where it answers differently each time.
        calls: how often, at most, probes may run it in one validation, where a call is dear.
        columns: names for the columns of an array that it returns. The key comes from the rows of the stage before,
            one for each row of the array, unless it is among the names.
        batch_dependent: why its answer may depend on the other rows of a batch; by default it may not.
        name: its name in the pipeline, which fills it in.
        needs: the function's other parameters that the pipeline fills: ``model`` or names of dependencies.

    Raises:
        PipelineError: ``calls`` is no positive number, or ``columns`` are no different names.

    Example:
        >>> from seatrial import Pipeline, Stage
        >>> ranking = Stage(lambda frame: frame, key=("request_id", "item_id"), ordered=True)
        >>> pipeline = Pipeline("shop", key="request_id", raw=lambda frame: frame, ranking=ranking)
        >>> pipeline.stage("ranking").name
        'ranking'
    """

    function: Callable[..., Any]
    _: KW_ONLY
    key: Key | None = None
    ordered: bool = False
    samples: Samples | None = None
    calls: int | None = None
    columns: Sequence[str] = ()
    batch_dependent: str = ""
    name: str = ""
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [] if isinstance(self.columns, str) else list(self.columns)
        if isinstance(self.columns, str) or len({*names}) != len(names) or not all(type(n) is str for n in names):
            raise PipelineError(f"Stage(columns={self.columns!r}): give a list of different names of columns.")
        if self.calls is not None and not (isinstance(self.calls, int) and self.calls >= 1):
            raise PipelineError(f"Stage(calls={self.calls!r}): give a whole number, 1 or more.")


@dataclass(frozen=True)
class Dependency:
    """Something outside the pipeline that a stage calls: a feature store, a database, another service.

    Its responses are recorded when the reference is captured, and stand in for it in every replay, so that a replay
    needs no running dependency.

    Attributes:
        name: the name of the parameter through which stages receive its client.
        url: its address, such as ``mongodb://h1,h2/db``, ``h1:9092,h2:9092``, ``unix:///run/redis.sock``; several in a
            list are joined with commas.
        connect: a function from the address to a client.
        fallback: a function that returns the client to use where the dependency has failed. Responses computed with
            it are what a degraded service must return; None where the pipeline declares no fallback.

    Example:
        >>> rates = Dependency("rates", url="postgresql://127.0.0.1/rates", connect=str, fallback=dict)
        >>> rates.fallback()
        {}
    """

    name: str
    url: str | Sequence[str]
    connect: Callable[[str], Any]
    fallback: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.url, str):
            return
        urls = list(self.url)
        if not urls or not all(isinstance(each, str) and each for each in urls):
            raise PipelineError(f"Dependency '{self.name}': give its address as text, or several in a list.")
        object.__setattr__(self, "url", ",".join(urls))

    @property
    def address(self) -> str:
        """Its address as one text."""
        assert isinstance(self.url, str), "several are joined when it is made"
        return self.url


@dataclass(frozen=True)
class Service:
    """How the served model is started, or where it runs already, and how it is called.

    ``{port}``, ``{model.path}`` and ``{<dependency>.url}`` are filled in wherever they occur in ``command``, ``stop``,
    ``env`` and ``predict``, and ``{name}`` with a name that no other start has; ``{env:NAME}`` and ``{file:PATH}`` in
    ``url``, ``headers``, ``verify`` and ``cert``.

    Attributes:
        command: the command that starts it, with ``{port}`` in it or in ``env``. Every name that ends in ``_port``
            is filled with a free port too. It may be the client of a container engine.
        stop: a command that is run when ``command`` has ended, at most 30 s long, and ends what that leaves elsewhere:
            ``["docker", "rm", "-f", "{name}"]``. With it, what answers on the port is the service, whoever listens.
        url: the address of a service that runs already, in place of ``command``; paths begin there.
        headers: sent with every request to ``url``, or to that of ``--target``, such as
            ``{"X-Key": "{env:STAGING_KEY}"}``. A credential is never written here, but named: a variable of the
            environment in which seatrial runs, or a file.
        verify: how the certificate of ``url`` is checked: against the authorities of this machine, against those in a
            file or folder, or not at all (False), which every result tells.
        cert: the client certificate for ``url``: its path, or its path, that of its key, and the key's password.
        ready: the path that returns success once the service is ready.
        predict: the path that takes one request, or the address of another kind of target, such as
            ``oip+http://127.0.0.1:{port}/fraud`` (see ``seatrial.targets.connect``). With ``url`` its host and port
            are those of ``url``.
        openapi: the path of its OpenAPI document; None where it has none.
        env: environment variables to set, beside those of seatrial's own that do not look like credentials.
        batch: the path that takes a list of requests; None where it has none.
        serves: the stage whose frame it returns; None for the last.
        cwd: the folder it runs in; by default the folder of the pipeline's file, where a relative one begins.
        ready_seconds: the time it may take to become ready, in seconds.
        request: a function that writes the HTTP request of the rows of one request, or of a batch: from a frame to a
            :class:`~seatrial.pipeline.hooks.HttpRequest`. By default a JSON record is sent.
        response: a function that reads an answer: from an :class:`~seatrial.pipeline.hooks.HttpAnswer` to a frame, a
            list of dicts, a dict, or a :class:`~seatrial.pipeline.hooks.Poll`.
        envelope: what JSON requests and answers stand in, by name: ``instances``, ``inputs``, ``dataframe_split``,
            ``dataframe_records``, ``list``, ``values``, ``object``, or both fields, such as ``rows/scores``.
        poll_seconds: where the service answers 202 with the address of the answer in ``Location``, the time in which
            the answer must be there; None where 202 is an answer like any.

    Raises:
        PipelineError: not exactly one of ``command`` and ``url``, or one that cannot be used as it is; a hook is no
            function, the envelope is unknown, or either stands beside an address of another kind of target.

    Example:
        >>> service = Service(["uvicorn", "app:app", "--port", "{port}"], predict="/score", ready_seconds=20)
        >>> service.ready
        '/health'
        >>> staging = Service(url="https://staging.example/fraud", headers={"X-Key": "{env:STAGING_KEY}"})
        >>> staging.url
        'https://staging.example/fraud'
    """

    command: Sequence[str] = ()
    ready: str = "/health"
    predict: str = "/predict"
    openapi: str | None = "/openapi.json"
    env: Mapping[str, str] = field(default_factory=dict)
    batch: str | None = None
    serves: str | None = None
    cwd: str | Path | None = None
    ready_seconds: float = 60.0
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool | str = True
    cert: str | Sequence[str] | None = None

    request: Callable[[pd.DataFrame], Any] | None = None
    response: Callable[[Any], Any] | None = None
    envelope: str | None = None
    poll_seconds: float | None = None
    stop: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_address(self)
        check_stop(self.command, self.stop)
        object.__setattr__(self, "predict", own_path(self.predict))
        for name in ("request", "response"):
            hook = getattr(self, name)
            if hook is not None and not callable(hook):
                raise PipelineError(f"Service({name}=…) is a {type(hook).__name__}. Give a function.")
        if self.envelope is not None:
            split_envelope(self.envelope)
        seconds = self.poll_seconds
        if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds <= 3_600):
            raise PipelineError(f"Service(poll_seconds={seconds!r}): give seconds, above 0 and at most 3,600.")
        if self.shaped and (named := named_protocol(self)):
            raise PipelineError(
                f"Service({named}) names a protocol, which writes requests and reads answers itself. Leave out "
                "request=, response=, envelope= and poll_seconds=, or give predict= as a path and url= without it."
            )

    @property
    def shaped(self) -> bool:
        """Whether its requests or answers have another shape than a JSON record each."""
        return any(each is not None for each in (self.request, self.response, self.envelope, self.poll_seconds))
