"""What a pipeline's file says without being run: its names of stages and dependencies, its service's command."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

SETTINGS = ("key", "model", "dependencies", "service")  # the arguments of Pipeline(...) that are no stages


@dataclass(frozen=True)
class Sketch:
    """A pipeline as its file spells it out. None stands for what only running the file can tell.

    Attributes:
        stages: name to the line of its function, or of the argument.
        dependencies: their names.
        command: the service's command; empty where it has none.
    """

    stages: Mapping[str, int] | None = None
    dependencies: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Names:
    """The names at the top of a module.

    Attributes:
        pipelines: names that are assigned a call of ``Pipeline``.
        complete: no other name can be there: there is no import of ``*``, and nothing that makes names at run time.
        all: every word of the code and every text in it.
    """

    pipelines: tuple[str, ...] = ()
    complete: bool = False
    all: frozenset[str] = field(default_factory=frozenset)


def names_of(tree: ast.Module) -> Names:
    """Return which names a module may have.

    Example:
        >>> names_of(ast.parse("from seatrial import Pipeline\\np = Pipeline('a', key='id')")).pipelines
        ('p',)
    """
    pipelines = tuple(name for name, value in _assigned(tree) if _called(value) == "Pipeline")
    words = frozenset(_words(tree))
    starred = any(isinstance(n, ast.ImportFrom) and any(a.name == "*" for a in n.names) for n in ast.walk(tree))
    dynamic = words & {"globals", "vars", "setattr", "exec", "__getattr__", "__dict__", "modules"}
    return Names(pipelines, not starred and not dynamic, words)


def sketch_of(tree: ast.Module, name: str) -> Sketch:
    """Return what the file says of the pipeline with this name.

    Example:
        >>> text = "p = seatrial.Pipeline('a', key='id', raw=f, score=g, dependencies=[Dependency('store', url=U)])"
        >>> sketch = sketch_of(ast.parse(text), "p")
        >>> list(sketch.stages), sketch.dependencies, sketch.command
        (['raw', 'score'], ('store',), ())
    """
    found = [value for assigned, value in _assigned(tree) if assigned == name]
    bound = sum(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for n in ast.walk(tree))
    if len(found) != 1 or bound != 1 or not isinstance(found[0], ast.Call) or not _ours(found[0], tree):
        return Sketch()
    given = {k.arg: k.value for k in found[0].keywords}
    if None in given:  # **more
        return Sketch()
    lines = {node.name: node.lineno for node in tree.body if isinstance(node, ast.FunctionDef)}
    stages = {s: lines.get(_function(v), v.lineno) for s, v in given.items() if s and s not in SETTINGS}
    return Sketch(stages, _dependencies(given.get("dependencies")), _command(given.get("service")))


def imports_of(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the top-level name and line of each module that the file is sure to import."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node.lineno


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from ((t.id, node.value) for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value


def _called(value: ast.expr | None) -> str:
    """Return the last part of the name that is called; empty where none is."""
    if not isinstance(value, ast.Call):
        return ""
    function = value.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _ours(call: ast.Call, tree: ast.Module) -> bool:
    """Return whether a call is of seatrial's own ``Pipeline``, and not of another thing of that name."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr == "Pipeline" and isinstance(function.value, ast.Name) and function.value.id == "seatrial"
    return _called(call) == "Pipeline" and any(
        isinstance(node, ast.ImportFrom)
        and (node.module or "").partition(".")[0] == "seatrial"
        and any(alias.name == "Pipeline" and not alias.asname for alias in node.names)
        for node in tree.body
    )


def _words(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        for _, value in ast.iter_fields(node):
            if isinstance(value, str):
                yield value
            elif isinstance(value, list):
                yield from (each for each in value if isinstance(each, str))


def _function(value: ast.expr) -> str:
    """Return the name of a stage's function, also of one within ``Stage(...)``."""
    if isinstance(value, ast.Call) and _called(value) == "Stage" and value.args:
        value = value.args[0]
    return value.id if isinstance(value, ast.Name) else ""


def _dependencies(value: ast.expr | None) -> tuple[str, ...] | None:
    if value is None:
        return ()
    if not isinstance(value, ast.List | ast.Tuple):
        return None
    return _texts(_argument(each, "Dependency", "name") for each in value.elts)


def _command(value: ast.expr | None) -> tuple[str, ...] | None:
    if value is None:
        return ()
    command = _argument(value, "Service", "command")
    return _texts(command.elts) if isinstance(command, ast.List | ast.Tuple) else None


def _argument(call: ast.expr, of: str, name: str) -> ast.expr | None:
    """Return the first argument of a call, by its place or its name; None where it cannot be told."""
    if not isinstance(call, ast.Call) or _called(call) != of:
        return None
    if call.args:
        return call.args[0]
    return next((k.value for k in call.keywords if k.arg == name), None)


def _texts(values: Iterable[ast.expr | None]) -> tuple[str, ...] | None:
    texts = [v.value if isinstance(v, ast.Constant) and isinstance(v.value, str) else None for v in values]
    return None if None in texts else tuple(t for t in texts if t is not None)
