"""What ``seatrial init`` found in a repository, and chose where there were several."""

from __future__ import annotations

import ast
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from seatrial.cli.start import training
from seatrial.cli.start.applications import Application, Route, answer_of, find_applications, request_of
from seatrial.cli.start.documents import Documented, read_document
from seatrial.cli.start.schemas import Field
from seatrial.cli.start.sources import Function, Module, called_name, calls, read_sources
from seatrial.errors import UsageError, unknown


class Choose(Protocol):
    """Asks a question with its answers, the likeliest first, and returns one of them; ``free``, or any other."""

    def __call__(self, question: str, answers: Sequence[str], *, free: bool = False) -> str: ...  # noqa: D102


MODEL_VARIABLE = "MODEL_URI"


@dataclass(frozen=True)
class Plan:
    """What is known of a service and its training.

    Attributes:
        root: of the project.
        folder: in which the pipeline's file is written: where the application is imported from.
        name: of the pipeline and, as far as is known, of the registered model.
        key: the field that identifies a request.
        request: the fields of a request; none where they are not known.
        request_model: the name of their declaration; empty where there is none.
        answer: the fields of an answer.
        application: that is served; None where there is none, or only an address.
        route: that takes a request.
        documented: what the OpenAPI document at ``target`` says.
        target: the address of a service that runs already; empty where the project starts it.
        models: the registered models.
        loaded: how the application gets its model.
        feature: the function that makes the model's inputs, with its module.
        method: of the model, that predicts.
        digits: to which answers are rounded.
    """

    root: Path
    folder: Path
    name: str
    key: str
    request: tuple[Field, ...] = ()
    request_model: str = ""
    answer: tuple[Field, ...] = ()
    application: Application | None = None
    route: Route | None = None
    documented: Documented | None = None
    target: str = ""
    models: tuple[training.Model, ...] = ()
    loaded: training.Loaded | None = None
    feature: tuple[Module, Function] | None = None
    method: str = "predict"
    digits: int | None = None
    environment: tuple[str, ...] = ()
    tracking_uri: str = ""

    @property
    def kind(self) -> Literal["fastapi", "flask", ""]:
        """The framework of the service, as far as it is known."""
        if self.application:
            return self.application.framework
        return "fastapi" if self.documented and self.documented.fastapi else ""


def make_plan(root: Path, choose: Choose, *, app: str = "", model: str = "", key: str = "", target: str = "") -> Plan:
    """Read a repository, and choose.

    Args:
        root: of the repository.
        choose: is asked where there are several.
        app: the application, as ``module:name``.
        model: the registered model.
        key: the field that identifies a request.
        target: the address of a service that runs already.

    Raises:
        UsageError: ``app`` is none of the applications, or nothing usable answers at ``target``.
    """
    modules = read_sources(root)
    application = None if target else _application(find_applications(modules), app, choose)
    routes = {route.path: route for route in application.predicts} if application else {}
    route = routes[choose("Which path takes a request?", list(routes))] if routes else None
    documented = read_document(target) if target else None
    request_model, request = request_of(modules, route) if route else ("", documented.request if documented else ())
    answer = answer_of(modules, route) if route else documented.answer if documented else ()
    models = training.registered_models(modules)
    names = [each.name for each in models] or [_slug(root.name)]
    name = model or choose("Which registered model does the service use?", names, free=not models)
    reached = reachable(modules, application.module) if application else ()
    loaded = next(iter(training.loaded_models(reached)), None)
    read = [each for module in reached for each in training.variables(module, module.tree)]
    own = {loaded.variable if loaded else "", MODEL_VARIABLE}
    features = training.feature_functions(modules, route.module if route else None, route.handler if route else None)
    predicting = (route.module, route.handler) if route else next(((m.module, m.module.tree) for m in models), None)
    return Plan(
        root=root,
        folder=application.module.root if application else features[0][0].root if features else root,
        name=name,
        key=key or choose("Which field identifies a request?", _keys(request, answer, name), free=True),
        request=request,
        request_model=request_model,
        answer=answer,
        application=application,
        route=route,
        documented=documented,
        target=target,
        models=tuple(sorted(models, key=lambda each: each.name != name)),
        loaded=loaded,
        feature=features[0] if features else None,
        method=_method(modules, reached, answer),
        digits=_digits(predicting[1]) if predicting and route else None,
        environment=tuple(dict.fromkeys(each for each in read if each not in own)),
        tracking_uri=_tracking_uri(root, modules),
    )


def reachable(modules: Sequence[Module], start: Module) -> tuple[Module, ...]:
    """Return a module and those of the repository that it imports, at any depth."""
    found, waiting = [start], [start]
    while waiting:
        named = {*waiting.pop().imports.values()}
        named |= {name.rpartition(".")[0] for name in named}
        new = [each for each in modules if each.name in named and each not in found]
        found += new
        waiting += new
    return tuple(found)


def _application(found: Sequence[Application], app: str, choose: Choose) -> Application | None:
    known = {each.address: each for each in found}
    if app and app not in known:
        raise UsageError(
            unknown("Application", app, known) if known else
            f"No FastAPI or Flask application with a route for POST was found, and so not '{app}'. Leave out --app, "
            "and write the service's command into the pipeline's file."
        )  # fmt: skip
    return known[app or choose("Which application serves the model?", list(known))] if known else None


def _keys(request: Sequence[Field], answer: Sequence[Field], name: str) -> list[str]:
    """Return the fields that may identify a request, the likeliest first; ``request_id`` where there is none."""
    answered = {field.name for field in answer}
    likely = [f.name for f in request if re.fullmatch(r"id|key|uuid|.*_id|.*_key|.*Id", f.name)]
    order = sorted(likely, key=lambda n: (n not in answered, n not in ("id", "request_id", f"{name}_id")))
    return order or (["request_id"] if request else ["id"])


def _method(modules: Sequence[Module], reached: Sequence[Module], answer: Sequence[Field]) -> str:
    """Return what is called of the model: by the service, else by any script, else what the answer is named for."""
    used = [called_name(call).rpartition(".")[2] for module in reached or modules for call in calls(module.tree)]
    named = not reached and any("prob" in field.name.lower() for field in answer)
    return "predict_proba" if named or "predict_proba" in used else "predict"


def _digits(tree: ast.AST) -> int | None:
    """Return to how many digits a handler rounds what it returns, where it says that once."""
    found = {
        call.args[1].value
        for call in calls(tree)
        if called_name(call) == "round" and len(call.args) == 2 and isinstance(call.args[1], ast.Constant)
    }
    return found.pop() if len(found) == 1 else None  # type: ignore[return-value]


def _tracking_uri(root: Path, modules: Sequence[Module]) -> str:
    """Return the store that training writes where nothing else is said: MLflow's default, beside the script's start."""
    if uri := training.tracking_uri(modules):
        return uri
    for folder in (root, *sorted(path for path in root.glob("[!.]*") if path.is_dir())):
        if (folder / "mlflow.db").is_file():
            return f"sqlite:///{(folder / 'mlflow.db').relative_to(root).as_posix()}"
    return "mlruns" if any(root.glob("mlruns/*/meta.yaml")) else "sqlite:///mlflow.db"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"


def program(root: Path, name: str) -> str | None:
    """Return where a program of the project is: in its virtual environment, else on PATH."""
    own = root / ".venv" / "bin" / name
    return str(own) if os.access(own, os.X_OK) else shutil.which(name)
