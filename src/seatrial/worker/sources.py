"""What a source file defines at its top and what it imports, read from its text alone; no code of it runs."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

DYNAMIC = {"eval", "exec", "__import__", "import_module", "globals"}  # choose code by a text
STAR = "*"


@dataclass(frozen=True)
class Module:
    """Where the code of a module is: its source file, or None with the reason; a package may have no file at all."""

    name: str
    file: Path | None
    reason: str = ""


def module_of(name: str) -> Module | None:
    """Return a module by its name, imported or not; None where there is none. Nothing is imported to find it.

    A module that a function imports when it is called was not imported yet.
    """
    spec = _spec(name)
    if spec is None:
        return None
    origin = spec.origin
    if origin and str(origin).endswith(".py"):
        return Module(name, Path(origin).resolve())
    if origin in (None, "namespace"):
        return Module(name, None)
    return Module(name, None, "a module of Python itself" if origin in ("built-in", "frozen") else "compiled code")


def _spec(name: str) -> ModuleSpec | None:
    loaded = sys.modules.get(name)
    if loaded is not None:
        spec = ModuleSpec(name, None, origin=getattr(loaded, "__file__", None) or "built-in")
        spec.submodule_search_locations = list(getattr(loaded, "__path__", ()))
        if spec.submodule_search_locations and not getattr(loaded, "__file__", None):
            spec.origin = None
        return spec
    parent = name.rpartition(".")[0]
    try:
        if not parent:
            return find_spec(name)
        above = _spec(parent)
        return PathFinder.find_spec(name, above.submodule_search_locations or ()) if above is not None else None
    except Exception:  # noqa: BLE001  a finder may raise whatever it likes
        return None


@dataclass(frozen=True)
class Use:
    """What a definition mentions: a name of a module; the module's own name for a name of the same file."""

    module: str
    name: str


class Source:
    """What a file defines at its top, and what it imports.

    Args:
        file: the file.
        package: the package that its relative imports start from.

    Attributes:
        defined: statements by the name that they define or change.
        stars: modules of which every public name is imported.
    """

    def __init__(self, file: Path, package: str) -> None:
        self.file, self._package = file, package
        self.defined: dict[str, list[ast.stmt]] = {}
        self.stars: list[str] = []
        self._names: dict[str, tuple[str, str]] = {}  # name here to module and name there
        self._modules: dict[str, str] = {}  # name here to the module that it is
        self.text = file.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._modules[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                self._import(node)
        self.registering: list[tuple[str, list[ast.expr]]] = []  # a definition, and what it may be handed to
        for statement in self.tree.body:
            for name in _names(statement):
                if name not in self._modules:  # pd.options.mode = …
                    self.defined.setdefault(name, []).append(statement)
            self._register(statement)

    def column(self, line: int | None, offset: int | None) -> int:
        """Return the number of characters before a place that the parser gives in bytes."""
        return len(self.text.splitlines()[(line or 1) - 1].encode()[: offset or 0].decode(errors="replace"))

    def imported(self, name: str) -> Use | None:
        """Return what a name that this file imports is elsewhere."""
        return Use(*self._names[name]) if name in self._names else None

    def uses(self, node: ast.AST) -> Iterator[Use | str]:
        """Yield what code mentions: names of this file as text, names of other modules; annotations are not code."""
        for part in _code(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                yield part.id
            elif isinstance(part, ast.Attribute) and (use := self._dotted(part)):
                yield use
            elif isinstance(part, ast.Call) and (named := self._named(part)):
                yield named

    def dynamic(self, node: ast.AST) -> Iterator[tuple[int, str]]:
        """Yield the line and the text of each call that chooses code by a text which is not written here."""
        for part in _code(node):
            if not isinstance(part, ast.Call):
                continue
            if isinstance(part.func, ast.Name):
                chooses = part.func.id in DYNAMIC
            else:
                chooses = isinstance(part.func, ast.Attribute) and part.func.attr == "import_module"
            if chooses or (self._from_module(part) and not self._named(part)):
                yield part.lineno, ast.unparse(part)

    def _from_module(self, call: ast.Call) -> str:
        """Return the module from which ``getattr`` takes something."""
        taken = isinstance(call.func, ast.Name) and call.func.id == "getattr" and len(call.args) > 1
        first = call.args[0] if taken else None
        return self._modules.get(first.id, "") if isinstance(first, ast.Name) else ""

    def _named(self, call: ast.Call) -> Use | None:
        module = self._from_module(call)
        name = call.args[1] if module else None
        return Use(module, name.value) if isinstance(name, ast.Constant) and isinstance(name.value, str) else None

    def _register(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if statement.decorator_list:
                self.registering.append((statement.name, statement.decorator_list))
            return
        to: list[ast.expr] = []
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            to = [statement.value.func]
        elif isinstance(statement, ast.Assign):
            to = [t for t in statement.targets if isinstance(t, ast.Subscript | ast.Attribute)]
        if to:
            name = f"<line {statement.lineno}>"
            self.defined[name] = [statement]
            self.registering.append((name, to))

    def _dotted(self, node: ast.Attribute) -> Use | None:
        """Return what ``module.name`` is, however many packages stand before it."""
        parts: list[str] = []
        value: ast.expr = node
        while isinstance(value, ast.Attribute):
            parts.append(value.attr)
            value = value.value
        if not isinstance(value, ast.Name) or value.id not in self._modules:
            return None
        module = self._modules[value.id]
        for part in reversed(parts):
            if module_of(f"{module}.{part}") is None:
                return Use(module, part)
            module = f"{module}.{part}"
        return None

    def _import(self, node: ast.ImportFrom) -> None:
        dots = "." * node.level
        source = resolve_name(dots + (node.module or ""), self._package) if dots else node.module or ""
        for alias in node.names:
            here = alias.asname or alias.name
            if alias.name == STAR:
                self.stars.append(source)
                continue
            self._names[here] = (source, alias.name)  # a package may have a function with the name of its module
            if module_of(f"{source}.{alias.name}") is not None:
                self._modules[here] = f"{source}.{alias.name}"


def _names(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement at the top of a file defines, or whose value it changes."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for node in (n for target in targets for n in ast.walk(target)):
            if isinstance(node, ast.Name):
                yield node.id
    elif isinstance(statement, ast.Expr):  # TABLE.update(…)
        value: Any = statement.value
        while isinstance(value, ast.Call | ast.Attribute | ast.Subscript):
            value = value.func if isinstance(value, ast.Call) else value.value
            if isinstance(value, ast.Name) and not isinstance(statement.value, ast.Name):
                yield value.id
    else:  # if, try, for, with: all of it belongs to what stands inside
        inside = [n for field in ("body", "orelse", "finalbody") for n in getattr(statement, field, ())]
        inside += [n for handler in getattr(statement, "handlers", ()) for n in handler.body]
        yield from dict.fromkeys(name for each in inside for name in _names(each))


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """Walk code without its annotations."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _code(child)
