"""What scripts and applications do with models: registered names, flavours, and how a service gets its model."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from seatrial.cli.start.sources import Function, Module, called_name, calls, dotted, find, keyword

LOADERS = ("load_model", "load", "load_context")


@dataclass(frozen=True)
class Model:
    """A registered model, as a script registers it: its name, and MLflow's flavour, empty where it is not seen."""

    name: str
    flavour: str
    module: Module


@dataclass(frozen=True)
class Loaded:
    """How an application gets its model.

    Attributes:
        module: that loads it.
        line: of the call.
        loader: the dotted name of what loads it, such as ``mlflow.sklearn.load_model``.
        variable: of the environment, which names the model; empty where the call does not read one.
        text: the model's address, where it is written in the code.
    """

    module: Module
    line: int
    loader: str
    variable: str
    text: str


def registered_models(modules: Sequence[Module]) -> tuple[Model, ...]:
    """Return the models that scripts register, each name once."""
    found: dict[str, Model] = {}
    for module in modules:
        flavours = []
        for call in calls(module.tree):
            meaning = module.meaning(call.func) or called_name(call)
            last = meaning.rpartition(".")[2]
            if last in ("log_model", "autolog", "save_model"):
                flavours.append(meaning.removeprefix("mlflow.").rpartition(".")[0])
            name = module.text(keyword(call, "registered_model_name"))
            if last == "register_model":
                name = module.text(keyword(call, "name") or (call.args[1] if len(call.args) > 1 else None))
            elif last == "create_registered_model":
                name = module.text(keyword(call, "name") or (call.args[0] if call.args else None))
            if name:
                found.setdefault(name, Model(name, "", module))
        for name, model in found.items():
            if model.module is module and not model.flavour:
                found[name] = Model(name, next((f for f in flavours if "." not in f and f), ""), module)
    return tuple(found.values())


def tracking_uri(modules: Sequence[Module]) -> str:
    """Return the tracking URI that a script sets in its code; empty where none does."""
    for module in modules:
        for call in calls(module.tree):
            if (
                module.meaning(call.func) == "mlflow.set_tracking_uri"
                and call.args
                and (uri := module.text(call.args[0]))
            ):
                return uri
    return ""


def loaded_models(modules: Sequence[Module]) -> tuple[Loaded, ...]:
    """Return where modules load models."""
    found = []
    for module in modules:
        values = {
            target.id: node.value
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in calls(module.tree):
            loader = module.meaning(call.func)
            if loader.rpartition(".")[2] not in LOADERS or loader.split(".")[0] in ("json", "yaml", "toml", "tomllib"):
                continue
            given: ast.expr | None = call.args[0] if call.args else keyword(call, "model_uri")
            if isinstance(given, ast.Name):
                given = values.get(given.id, given)
            if given is not None:
                variable = next(iter(variables(module, given)), "")
                texts = [n.value for n in ast.walk(given) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
                text = next((t for t in texts if t != variable), "")
                found.append(Loaded(module, call.lineno, loader, variable, text))
    return tuple(found)


def variables(module: Module, node: ast.AST) -> list[str]:
    """Return the names of the variables of the environment that code reads."""
    found = []
    for each in ast.walk(node):
        key: ast.expr | None = None
        if isinstance(each, ast.Subscript) and module.meaning(each.value) == "os.environ":
            key = each.slice
        elif isinstance(each, ast.Call) and each.args and module.meaning(each.func) in ("os.environ.get", "os.getenv"):
            key = each.args[0]
        if name := module.text(key):
            found.append(name)
    return list(dict.fromkeys(found))


def feature_functions(
    modules: Sequence[Module], application: Module | None, handler: Function | None
) -> list[tuple[Module, Function]]:
    """Return the functions that make features: called by training, or by the handler, from a frame to a frame.

    Those that both call come first; then those that training alone calls, which is what serving must agree with.
    """
    training = {each.module for each in registered_models(modules)}
    by_training = _frame_functions(modules, [(m, m.tree) for m in modules if m in training])
    by_service = _frame_functions(modules, [(application, handler)] if application and handler else [])
    shared = [each for each in by_training if each in by_service]
    return [*shared, *(each for each in [*by_training, *by_service] if each not in shared)]


def _frame_functions(
    modules: Sequence[Module], places: Sequence[tuple[Module, ast.AST]]
) -> list[tuple[Module, Function]]:
    found = []
    for module, tree in places:
        for call in calls(tree):
            there = find(modules, module, dotted(call.func), "functions")
            if there and there not in found and _is_of_frames(there[1]):
                found.append(there)
    return found


def _is_of_frames(function: Function) -> bool:
    given = [*function.args.posonlyargs, *function.args.args]
    if len(given) - len(function.args.defaults) != 1 or function.decorator_list:
        return False
    kinds = [dotted(annotation).rpartition(".")[2] for annotation in (given[0].annotation, function.returns)]
    named = any(word in function.name for word in ("feature", "prepare", "preprocess", "transform"))
    return kinds == ["DataFrame"] * 2 or ("DataFrame" in kinds and "" in kinds) or (kinds == ["", ""] and named)
