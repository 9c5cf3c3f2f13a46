"""What a pipeline refuses when it is put together: settings that are something else, and keys that name no rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.errors import PipelineError
from seatrial.pipeline.parts import SERVICE, Dependency, Key, Service, Stage
from seatrial.pipeline.requests import key_columns

ONE_ROW_EACH = ("mlflow+", "oip+", "openai+")  # protocols that answer as many rows as the request has
RESERVED = ("key", "model", "dependencies", SERVICE)


def check_settings(name: Any, *, key: Any, model: Any, dependencies: Any, service: Any) -> None:
    """Raise PipelineError where a setting holds a stage, or anything else that it cannot be.

    Stages are keyword arguments like the settings: a stage under the name of a setting would be lost in silence.
    """
    if not isinstance(name, str):
        raise PipelineError(f"Pipeline(...) was given the name {_kind(name)}. Its first argument is its name, a text.")
    known = isinstance(dependencies, Sequence) and all(isinstance(d, Dependency) for d in dependencies)
    wrong = {
        "key": (callable(key) or isinstance(key, Stage), key, "the column that names a request, or a tuple of them"),
        "model": (
            model is not None and (isinstance(model, Stage) or not callable(model)),
            model, "a function from the path of a model version to the loaded model",
        ),
        "dependencies": (not known, dependencies, "a list of Dependency(...)"),
        SERVICE: (not (service is None or isinstance(service, Service)), service, "Service(...)"),
    }  # fmt: skip
    for setting, (is_wrong, given, meant) in wrong.items():
        if is_wrong:
            stage = callable(given) or isinstance(given, Stage)
            raise PipelineError(
                f"Pipeline '{name}' was given {setting}={_kind(given)}; '{setting}' is {meant}, and no stage."
                + (f" If it is a stage, give it another name, such as {setting}_stage=." if stage else "")
            )


def check_model(name: str, stages: Mapping[str, Stage], model: Any) -> None:
    """Raise PipelineError where a function loads the model and no stage takes it: it may be meant as a stage.

    A class, such as ``float``, is never meant as one.
    """
    if (
        model is not None
        and not isinstance(model, type)
        and not any("model" in stage.needs for stage in stages.values())
    ):
        raise PipelineError(
            f"Pipeline '{name}' was given model=, and none of its stages ({', '.join(stages)}) takes 'model'. "
            "'model' is the function that loads a model version, and no stage. If it is a stage, give it another name, "
            "such as prediction=. If it loads the model, let a stage take it: def predict(frame, model)."
        )


def check_service(name: str, service: Service | None, key: Key, served: Stage) -> None:
    """Raise PipelineError where a stage has several rows a request and the service's protocol answers one for each."""
    several = served.key is not None and key_columns(served.key) != key_columns(key)
    if several and service is not None and service.predict.startswith(ONE_ROW_EACH):
        raise PipelineError(
            f"Stage '{served.name}' of pipeline '{name}' has several rows a request, and a service at "
            f"{service.predict} answers one row for each that is sent. Serve it as JSON, or let it answer one row with "
            "lists in its columns."
        )


def check_keys(name: str, key: Key, stages: Mapping[str, Stage]) -> None:
    """Raise PipelineError where a key names no columns, or a stage's does not begin with the pipeline's."""
    for owner, given in ((f"Pipeline '{name}'", key), *((f"Stage '{s}'", g.key) for s, g in stages.items() if g.key)):
        columns = key_columns(given) if isinstance(given, str | tuple | list) else ()
        if not columns or not all(isinstance(c, str) and c for c in columns) or len({*columns}) != len(columns):
            raise PipelineError(
                f"{owner} has the key {given!r}. A key is the name of a column, or a tuple of different names."
            )
        if columns[: len(key_columns(key))] != key_columns(key):
            further = [c for c in columns if c not in key_columns(key)]
            raise PipelineError(
                f"{owner} has the key {given!r}, which does not begin with the key of the pipeline, {key!r}. Rows are "
                f"kept together by request: begin with it, such as {(*key_columns(key), *further)!r}."
            )


def _kind(given: Any) -> str:
    named = getattr(given, "__name__", None)
    return f"the function {named}" if callable(given) and named else f"a {type(given).__name__}"
