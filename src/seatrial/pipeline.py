"""The path under test: named steps from frame to frame, what they need from outside, and the service around them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import PipelineError, StageError, nearest

Step = Callable[[pd.DataFrame], pd.DataFrame]

_QUOTED = re.compile(r"'([^']+)'")  # as pandas writes the columns that a frame lacks
SERVICE = "service"  # the place of findings about the live service; no stage has this name
RESERVED = ("key", "model", "dependencies", SERVICE)


@dataclass(frozen=True)
class Stage:
    """A named step. ``needs`` are the parameters after the frame: ``model`` or the names of dependencies."""

    name: str
    function: Callable[..., pd.DataFrame]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dependency:
    """Something a stage asks while it runs: a feature store, a database, another service.

    ``connect(url)`` gives the client that stages receive. Its answers are recorded at capture and stand in for it
    in every replay, so that a replay needs nothing to be up. ``fallback()`` gives the client that declares what its
    loss means: the path with this client in its place makes the answers that a degraded service must give.
    """

    name: str
    url: str
    connect: Callable[[str], Any]
    fallback: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Service:
    """How the served model is started and spoken to. ``{port}``, ``{model.path}`` and ``{store.url}`` are filled in.

    Attributes:
        command: what starts it, ``{port}`` in it or in ``env``; every name that ends in ``_port`` is a free port too.
        ready: the path that answers with success once it is ready.
        predict: the path that takes one request, or the address of another kind of target, such as
            ``oip+http://127.0.0.1:{port}/fraud`` (see ``seatrial.targets.connect``).
        openapi: the path of its OpenAPI document, where it has one.
        env: environment variables; of ours it gets all but those that look like credentials.
        batch: the path that takes a list of requests, where it has one.
        serves: the stage whose frame it answers, where it is not the whole path.
        cwd: where it runs; beside the pipeline's file by default.
        ready_seconds: how long it may take to be ready.
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


class Pipeline:
    """The path from raw input to response.

    Stages are keyword arguments in the order they run; any names, two or more. A stage function takes the previous
    stage's frame first, then ``model`` or dependencies by parameter name. The first stage gets the request rows as
    they arrive.

    Raises:
        PipelineError: fewer than two stages, a reserved or repeated name, a parameter that nothing fills.
    """

    def __init__(
        self,
        name: str,
        *,
        key: str,
        model: Callable[[str], Any] | None = None,
        dependencies: Sequence[Dependency] = (),
        service: Service | None = None,
        **stages: Callable[..., pd.DataFrame],
    ) -> None:
        self.name = name
        self.key = key
        self.model = model
        self.service = service
        self.source: tuple[Path, str] | None = None  # the file and name it was loaded from, where a project loaded it
        self.dependencies = {d.name: d for d in dependencies}
        if len(self.dependencies) != len(dependencies):
            raise PipelineError(f"Pipeline '{name}' names a dependency twice: {[d.name for d in dependencies]}.")
        if taken := set(self.dependencies) & {*stages, *RESERVED}:
            raise PipelineError(f"Dependency '{min(taken)}' of pipeline '{name}' has the name of a stage or setting.")
        if odd := [s for s in (*stages, *self.dependencies) if not s.isidentifier()]:
            raise PipelineError(f"'{odd[0]}' of pipeline '{name}' names files and columns: use letters, digits and _.")
        if len(stages) < 2:
            raise PipelineError(
                f"Pipeline '{name}' has {len(stages)} stage(s); a path has two or more. "
                "Pass them as keyword arguments in order, such as raw=parse, features=build_features."
            )
        fillable = [*(["model"] if model else []), *self.dependencies]
        self._stages = {s: Stage(s, f, _needs(s, f, fillable)) for s, f in stages.items()}

    @property
    def stages(self) -> tuple[str, ...]:
        """The stage names in order."""
        return tuple(self._stages)

    @property
    def path(self) -> tuple[str, ...]:
        """The places a fault can be born, in order: each dependency stands before the first stage that asks it."""
        places: list[str] = []
        for stage in self._stages.values():
            places += [n for n in stage.needs if n in self.dependencies and n not in places]
            places.append(stage.name)
        return tuple(places)

    def stage(self, name: str) -> Stage:
        """Return one stage; PipelineError with the nearest name when there is none."""
        if name not in self._stages:
            raise PipelineError(
                f"Pipeline '{self.name}' has no stage '{name}'. Its stages: {', '.join(self.stages)}."
                f"{nearest(name, self.stages)}"
            )
        return self._stages[name]

    def before(self, name: str) -> str | None:
        """Return the stage that feeds ``name``, or None for the first, which gets the requests."""
        at = self.stages.index(self.stage(name).name)
        return self.stages[at - 1] if at else None

    def connect(self, *names: str) -> dict[str, Any]:
        """Connect dependencies by their own URLs, all by default; PipelineError names the one out of reach."""
        return {name: _connect(d) for name, d in self.dependencies.items() if not names or name in names}

    def step(
        self,
        name: str,
        *,
        model: Any = None,
        clients: Mapping[str, Any] | None = None,
        columns: Container[str] = (),
    ) -> Step:
        """Return the stage as a plain step: parameters filled, the answer held to the rule.

        Args:
            name: the stage.
            model: the loaded model, for stages that ask for it.
            clients: dependency name to client, for stages that ask for one.
            columns: names that may be said aloud when the stage raises for want of one of them.

        Raises:
            PipelineError: the stage asks for a model or a dependency that was not handed over.
        """
        stage = self.stage(name)
        given = {**(clients or {}), **({} if model is None else {"model": model})}
        if missing := [n for n in stage.needs if n not in given]:
            raise PipelineError(f"Stage '{name}' asks for '{missing[0]}', and none was given: hand it over.")
        return partial(_run, stage, self.key, {n: given[n] for n in stage.needs}, columns)

    def __repr__(self) -> str:
        return f"Pipeline({self.name!r}: {' → '.join(self.stages)})"


def _needs(stage: str, function: Callable[..., Any], fillable: Sequence[str]) -> tuple[str, ...]:
    if not callable(function):
        raise PipelineError(
            f"Stage '{stage}' is a {type(function).__name__}; a stage is a function from a frame to a frame."
        )
    if any(map(inspect.iscoroutinefunction, (function, type(function).__call__))):
        raise PipelineError(f"Stage '{stage}' is a coroutine; a stage is a plain function, called and done.")
    bound = function.keywords if isinstance(function, partial) else {}
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise PipelineError(f"Stage '{stage}' has no readable signature: {error}.") from error
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    if not parameters or parameters[0].kind not in positional | {inspect.Parameter.VAR_POSITIONAL}:
        raise PipelineError(
            f"Stage '{stage}' takes no frame: its first parameter must receive the previous stage's frame."
        )
    needs = []
    for parameter in parameters[1:]:
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            continue
        if parameter.name in fillable and parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
            if parameter.name not in bound:
                needs.append(parameter.name)
        elif parameter.default is inspect.Parameter.empty:
            raise PipelineError(
                f"Stage '{stage}' asks for '{parameter.name}', which nothing fills. It may ask for: "
                f"{', '.join(fillable) or 'nothing (the pipeline has no model and no dependencies)'}."
                f"{nearest(parameter.name, fillable)}"
            )
    return tuple(needs)


def _connect(dependency: Dependency) -> Any:
    try:
        return dependency.connect(dependency.url)
    except Exception as error:
        raise PipelineError(
            f"Dependency '{dependency.name}' cannot be reached: {type(error).__name__}. "
            "Start it, or check the URL the pipeline gives it."
        ) from error


def _run(
    stage: Stage, key: str, arguments: Mapping[str, Any], columns: Container[str], frame: pd.DataFrame
) -> pd.DataFrame:
    try:
        out = stage.function(frame, **arguments)
    except StageError:
        raise
    except (Exception, SystemExit) as error:
        said = str(error) if isinstance(error, PipelineError) else describe(error, columns)
        raise StageError(stage.name, f"Stage '{stage.name}' raised {said}") from error
    check_keyed(stage.name, key, out)
    return out


def check_keyed(stage: str, key: str, frame: Any) -> None:
    """Hold a stage's answer to the rule: a frame, distinct column names, a key column unique and never null.

    Raises:
        StageError: naming the stage and what is wrong with its answer.
    """
    if not isinstance(frame, pd.DataFrame):
        raise StageError(stage, f"Stage '{stage}' returned {type(frame).__name__}; a stage returns a pandas DataFrame.")
    if wrong := misnamed(frame):
        raise StageError(stage, f"Stage '{stage}' returned {wrong}.")
    if key not in frame.columns:
        raise StageError(
            stage,
            f"Stage '{stage}' lost the key column '{key}'. It returned: {', '.join(map(str, frame.columns[:8]))}."
            f"{nearest(key, map(str, frame.columns))}",
        )
    keys = frame[key]
    if nulls := int(keys.isna().sum()):
        raise StageError(
            stage,
            f"Stage '{stage}' returned {nulls:,} row(s) whose key '{key}' is null; a key is never null.",
        )
    if not keys.is_unique:
        sample = ", ".join(str(k) for k in keys[keys.duplicated()].unique()[:3])
        raise StageError(
            stage,
            f"Stage '{stage}' returned {len(frame):,} rows for {keys.nunique():,} keys: '{key}' repeats {sample}. "
            "A key is unique: look for a join that fans out.",
        )


def misnamed(frame: pd.DataFrame) -> str:
    """Return what is wrong with a frame's column names, or the empty string: they are text, and each is there once."""
    if strange := [c for c in frame.columns if not isinstance(c, str)]:
        kind = type(strange[0]).__name__
        return f"{len(strange)} column name(s) that are not text, the first a {kind}; name columns with strings"
    twice = sorted(set(frame.columns[frame.columns.duplicated()]))
    return f"{len(twice)} column name(s) more than once: {', '.join(twice[:5])}" if twice else ""


def describe(error: BaseException, columns: Container[str] = ()) -> str:
    """Return an exception as ``Type in function (file:line)`` without its text, which may carry values of rows.

    Of a missing column or attribute its name is said, where it is one of ``columns``.
    """
    said = type(error).__name__
    if isinstance(error, KeyError | AttributeError):
        wanted = getattr(error, "name", None) or (error.args[0] if error.args else "")
        known = (n for n in (str(wanted), *_QUOTED.findall(str(wanted))) if len(n) <= 60 and n in columns)
        said += f" '{name}'" if (name := next(known, "")) else ""
    frames = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
    if not frames:
        return said
    last = next((f for f in reversed(frames) if "site-packages" not in f.filename), frames[-1])
    return f"{said} in {last.function} ({last.filename.rsplit('/', 1)[-1]}:{last.lineno})"
