"""Which definitions a stage's code reaches: by name, through the files of the project.

Code that only runs outside a replay (a client of a dependency, training, the wiring of the pipeline) is reached by no
stage: a reference cannot detect a mutant there. Annotations are not code. Methods of objects that a stage receives,
such as a model, are not reached by name either.
"""

from __future__ import annotations

import ast
import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import resolve_name
from pathlib import Path
from sysconfig import get_path
from types import ModuleType
from typing import Any

from seatrial.pipeline import Pipeline


@dataclass(frozen=True)
class Definition:
    """A function, class or constant at the top of a file, and the stages whose code reaches it, in path order."""

    file: Path
    name: str
    first_line: int
    last_line: int
    stages: tuple[str, ...]


def reachable_definitions(pipeline: Pipeline, folder: Path) -> list[Definition]:
    """Return the definitions in files below ``folder`` that the stages reach, by file and line."""
    modules = {Path(str(m.__file__)).resolve(): _File(m) for m in modules_of(folder).values()}
    stages: dict[tuple[Path, str], list[str]] = {}
    for stage in pipeline.stages:
        for place in _closure(modules, _entry(pipeline.stage(stage).function)):
            stages.setdefault(place, []).append(stage)
    found = []
    for (file, name), by in stages.items():
        for node in modules[file].defined[name]:
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            found.append(Definition(file, name, first, node.end_lineno or first, tuple(by)))
    return sorted(found, key=lambda d: (str(d.file), d.first_line, d.name))


def modules_of(folder: Path) -> dict[str, ModuleType]:
    """Return the loaded modules whose files lie below ``folder``, by name; those of Python and of packages left out."""
    below = (f"{folder}{os.sep}", f"{folder.resolve()}{os.sep}")  # of thousands of modules: no access to the disk
    python = f"{get_path('stdlib')}{os.sep}"  # an environment may lie in the project's folder
    found = {}
    for name, module in list(sys.modules.items()):
        file = os.path.abspath(getattr(module, "__file__", None) or "")
        installed = "site-packages" in file or "dist-packages" in file or file.startswith(python)
        if file.endswith(".py") and file.startswith(below) and not installed and name.partition(".")[0] != "seatrial":
            found[name] = module
    return found


def _entry(function: Callable[..., Any]) -> tuple[Path, str] | None:
    """Return the file and the name of the top-level definition that holds a stage's function."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    if not hasattr(function, "__qualname__"):
        function = type(function)
    try:
        file = inspect.getsourcefile(function)
    except TypeError:
        return None
    return (Path(file).resolve(), function.__qualname__.partition(".")[0]) if file else None


def _closure(files: dict[Path, _File], entry: tuple[Path, str] | None) -> list[tuple[Path, str]]:
    waiting, found = [entry] if entry else [], []
    while waiting:
        file, name = waiting.pop()
        here = files.get(file)
        if here is None or (file, name) in found:
            continue
        if name in here.imported:
            waiting.append(here.imported[name])
        elif name in here.defined:
            found.append((file, name))
            waiting += here.used_by(name, files)
    return found


class _File:
    """What a file defines at its top, and what it imports, read from its source."""

    def __init__(self, module: ModuleType) -> None:
        self.path = Path(str(module.__file__)).resolve()
        self.defined: dict[str, list[ast.stmt]] = {}
        self.imported: dict[str, tuple[Path, str]] = {}  # name here to file and name there
        self.aliases: dict[str, Path] = {}  # name of an imported module
        for statement in ast.walk(tree := ast.parse(self.path.read_text(encoding="utf-8"))):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(statement, module)
        for statement in tree.body:
            for name in _names(statement):
                self.defined.setdefault(name, []).append(statement)

    def used_by(self, name: str, files: dict[Path, _File]) -> list[tuple[Path, str]]:
        """Return what the definition of ``name`` mentions, as file and name."""
        used = []
        for node in (n for statement in self.defined[name] for n in _code(statement)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                used.append((self.path, node.id))
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                there = files.get(self.aliases.get(node.value.id, self.path))
                if there and node.value.id in self.aliases:
                    used.append((there.path, node.attr))
        return used

    def _import(self, node: ast.Import | ast.ImportFrom, module: ModuleType) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if (file := _file_of(alias.name)) is not None:
                    self.aliases[alias.asname or alias.name.partition(".")[0]] = file
            return
        dots = "." * node.level
        source = resolve_name(dots + (node.module or ""), module.__package__ or "") if dots else node.module or ""
        for alias in node.names:
            here = alias.asname or alias.name
            if (file := _file_of(f"{source}.{alias.name}")) is not None:
                self.aliases[here] = file
            elif (file := _file_of(source)) is not None:
                self.imported[here] = (file, alias.name)


def _file_of(module: str) -> Path | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).resolve() if file else None


def _names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for node in (n for target in targets for n in ast.walk(target)):
            if isinstance(node, ast.Name):
                yield node.id


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a definition without its annotations."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _code(child)
