"""The FastAPI and Flask applications of a repository: where they are, what they take, what they answer."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from seatrial.cli.start.schemas import Field, model_fields, read_fields, written_fields
from seatrial.cli.start.sources import Function, Module, called_name, calls, dotted, find, keyword

FRAMEWORKS: dict[str, Literal["fastapi", "flask"]] = {
    "fastapi.FastAPI": "fastapi", "fastapi.applications.FastAPI": "fastapi", "flask.Flask": "flask",
    "flask.app.Flask": "flask",
}  # fmt: skip
ROUTERS = ("fastapi.APIRouter", "fastapi.routing.APIRouter", "flask.Blueprint")
PREDICTS = ("predict", "score", "infer", "classify", "recommend", "rank", "invocations")
READY = ("health", "ready", "live", "ping", "status")


@dataclass(frozen=True)
class Route:
    """One route: its method, its path, and the function that handles it."""

    method: str
    path: str
    module: Module
    handler: Function


@dataclass(frozen=True)
class Application:
    """An application object, or a function that makes one.

    Attributes:
        framework: that it is written in.
        module: that defines it.
        name: of the object or function in its module.
        factory: it is a function.
        routes: of all its modules.
        documented: it has an OpenAPI document at /openapi.json.
    """

    framework: Literal["fastapi", "flask"]
    module: Module
    name: str
    factory: bool
    routes: tuple[Route, ...]
    documented: bool

    @property
    def address(self) -> str:
        """Return how a server is told of it: ``package.app:app``."""
        return f"{self.module.name}:{self.name}"

    @property
    def predicts(self) -> tuple[Route, ...]:
        """Return the routes that take a request, those that are named for it first."""
        posts = [route for route in self.routes if route.method == "POST"]
        return tuple(sorted(posts, key=lambda r: not any(w in f"{r.path} {r.handler.name}".lower() for w in PREDICTS)))

    @property
    def ready(self) -> str | None:
        """Return the path that tells whether it is ready: one named for it, else one that answers GET."""
        gets = [route.path for route in self.routes if route.method == "GET" and not {"{", "<"} & {*route.path}]
        named = [path for path in gets if any(word in path.lower() for word in READY)]
        return next(iter([*named, *(["/openapi.json"] if self.documented else []), *gets]), None)


def find_applications(modules: Sequence[Module]) -> tuple[Application, ...]:
    """Return the applications of a repository, in the order of their files; the largest of a module comes first."""
    found = []
    for module in modules:
        for name, call, factory in _made(module):
            framework = FRAMEWORKS[module.meaning(call.func)]
            hidden = isinstance(url := keyword(call, "openapi_url"), ast.Constant) and url.value is None
            routes = tuple(_routes(modules, module))
            found.append(
                Application(framework, module, name, factory, routes, framework == "fastapi" and not hidden)
            )  # fmt: skip
    return tuple(app for app in found if app.predicts)


def _made(module: Module) -> Iterator[tuple[str, ast.Call, bool]]:
    for node in module.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if module.meaning(node.value.func) in FRAMEWORKS and isinstance(target, ast.Name):
                yield target.id, node.value, False
    for name, function in module.functions.items():
        made = [call for call in calls(function) if module.meaning(call.func) in FRAMEWORKS]
        if made and any(isinstance(node, ast.Return) for node in ast.walk(function)):
            yield name, made[0], True


def _routes(modules: Sequence[Module], module: Module) -> Iterator[Route]:
    """Yield the routes of an application's module, and those of the routers that it includes."""
    yield from _routes_of(module, "")
    for call in calls(module.tree):
        if called_name(call).rpartition(".")[2] not in ("include_router", "register_blueprint") or not call.args:
            continue
        name, prefix = dotted(call.args[0]), ""
        for given in ("prefix", "url_prefix"):
            prefix = module.text(keyword(call, given)) or prefix
        place = module.meaning(call.args[0]).rpartition(".")[0]
        for each in modules:
            if each is not module and each.name in (place, module.meaning(call.args[0])) and name:
                yield from _routes_of(each, prefix)


def _routes_of(module: Module, outer: str) -> Iterator[Route]:
    prefixes = {
        target.id: module.text(keyword(node.value, "prefix") or keyword(node.value, "url_prefix"))
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        if module.meaning(node.value.func) in ROUTERS
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module.tree):
        if not isinstance(node, Function):
            continue
        for call in (each for each in node.decorator_list if isinstance(each, ast.Call)):
            owner, _, verb = dotted(call.func).rpartition(".")
            path = module.text(call.args[0] if call.args else keyword(call, "path") or keyword(call, "rule"))
            for method in _methods(verb, call) if owner else ():
                yield Route(method, f"{outer}{prefixes.get(owner, '')}{path}", module, node)


def _methods(verb: str, call: ast.Call) -> list[str]:
    if verb in ("get", "post", "put"):
        return [verb.upper()]
    if verb not in ("route", "api_route"):
        return []
    given = keyword(call, "methods")
    elements = given.elts if isinstance(given, ast.List | ast.Tuple | ast.Set) else []
    return [str(each.value).upper() for each in elements if isinstance(each, ast.Constant)] or ["GET"]


def request_of(modules: Sequence[Module], route: Route) -> tuple[str, tuple[Field, ...]]:
    """Return the name of a request's model, empty where there is none, and the fields of a request."""
    arguments = route.handler.args
    for argument in (*arguments.args, *arguments.kwonlyargs):
        name = dotted(argument.annotation)
        if name and (fields := model_fields(modules, route.module, name)):
            return _full(modules, route, name), fields
    for call in calls(route.handler):  # a model that the handler makes of the body itself
        name = called_name(call).removesuffix(".model_validate_json").removesuffix(".model_validate")
        checked = name != called_name(call) or any(each.arg is None for each in call.keywords)
        if checked and (fields := model_fields(modules, route.module, name)):
            return _full(modules, route, name), fields
    return "", read_fields(route.handler)


def answer_of(modules: Sequence[Module], route: Route) -> tuple[Field, ...]:
    """Return the fields of an answer: of the response model, else of what the handler returns."""
    declared = [keyword(each, "response_model") for each in route.handler.decorator_list if isinstance(each, ast.Call)]
    for annotation in (*declared, route.handler.returns):
        if fields := model_fields(modules, route.module, dotted(annotation)):
            return fields
    return written_fields(route.handler)


def _full(modules: Sequence[Module], route: Route, name: str) -> str:
    found = find(modules, route.module, name, "classes")
    return f"{found[0].name}.{found[1].name}" if found else name
