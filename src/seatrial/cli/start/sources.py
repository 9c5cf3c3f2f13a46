"""The Python files of a repository, read and never run."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

MOST_FILES, MOST_FOLDERS, MOST_BYTES = 2_000, 20_000, 1_000_000
LEFT_OUT = {
    "node_modules", "site-packages", "__pycache__", "mlruns", "mlartifacts", "build", "dist", "tests", "test", "docs",
}  # fmt: skip
RUNS = (ast.For, ast.While, ast.With, ast.AsyncWith, ast.AsyncFor)
WORKS = ("load", "read", "fit", "open", "connect", "FastAPI", "Flask")  # parts of names of what is more than a constant


Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file, parsed.

    Attributes:
        path: absolute.
        root: the folder that it is imported from.
        name: its dotted name from there.
    """

    path: Path
    root: Path
    name: str
    tree: ast.Module

    @cached_property
    def imports(self) -> dict[str, str]:
        """Return what each imported name stands for, such as ``np: numpy`` and ``FastAPI: fastapi.FastAPI``."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for each in node.names:
                    name = each.asname or each.name.partition(".")[0]
                    found[name] = each.name if each.asname else name
            elif isinstance(node, ast.ImportFrom):
                start = self.name.split(".")[: -node.level] if node.level else []
                source = ".".join([*start, *([node.module] if node.module else [])])
                found |= {each.asname or each.name: f"{source}.{each.name}" for each in node.names}
        return found

    @cached_property
    def constants(self) -> dict[str, str]:
        """Return the texts that names of the module stand for."""
        return {
            target.id: node.value.value
            for node in self.tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Return the functions of the module itself."""
        return {n.name: n for n in self.tree.body if isinstance(n, Function)}

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """Return the classes of the module itself."""
        return {n.name: n for n in self.tree.body if isinstance(n, ast.ClassDef)}

    @property
    def importable(self) -> bool:
        """Whether to import it runs no more than definitions, as far as can be seen."""
        for node in self.tree.body:
            if isinstance(node, RUNS) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
                return False
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                called = [called_name(each) for each in ast.walk(node.value) if isinstance(each, ast.Call)]
                if any(part in name.rpartition(".")[2] for name in called for part in WORKS):
                    return False
        return True

    def meaning(self, node: ast.expr | None) -> str:
        """Return the dotted name of an expression with its first part as it was imported; empty for anything else."""
        name = dotted(node)
        first, dot, rest = name.partition(".")
        return f"{self.imports.get(first, first)}{dot}{rest}"

    def text(self, node: ast.expr | None) -> str:
        """Return the text that an expression is, itself or by a constant's name; empty for anything else."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        return self.constants.get(node.id, "") if isinstance(node, ast.Name) else ""


def dotted(node: ast.expr | None) -> str:
    """Return ``a.b.c`` of an expression that is a name or attributes of one; else the empty text."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def called_name(node: ast.Call) -> str:
    """Return the dotted name of what a call calls; the attribute alone where it is one of another expression."""
    return dotted(node.func) or (node.func.attr if isinstance(node.func, ast.Attribute) else "")


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield every call below a node."""
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Return the value of a keyword argument."""
    return next((each.value for each in call.keywords if each.arg == name), None)


def find(modules: Sequence[Module], module: Module, name: str, kind: str) -> tuple[Module, Any] | None:
    """Return a function or class that a name of a module stands for, with the module that defines it.

    Args:
        modules: of the repository.
        module: where the name is used.
        name: as it is written there, such as ``Customer`` or ``schemas.Customer``.
        kind: ``functions`` or ``classes``.
    """
    if name in getattr(module, kind):
        return module, getattr(module, kind)[name]
    first, dot, rest = name.partition(".")
    place, _, last = f"{module.imports.get(first, first)}{dot}{rest}".rpartition(".")
    file = module.root.joinpath(*place.split(".")).with_suffix(".py")  # of a folder without __init__.py
    for each in modules:
        if (each.name == place or each.path == file) and last in getattr(each, kind):
            return each, getattr(each, kind)[last]
    return None


def read_sources(root: Path) -> tuple[Module, ...]:
    """Return the modules of a repository; files that do not parse, tests, and virtual environments are left out."""
    found: list[Module] = []
    for path in _files(root):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of escapes in somebody's texts
                tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        start = _import_root(path, root, tree)
        name = ".".join(path.relative_to(start).with_suffix("").parts).removesuffix(".__init__")
        found.append(Module(path, start, name, tree))
    return tuple(found)


def _files(root: Path) -> Iterator[Path]:
    left = MOST_FILES
    for number, (folder, folders, names) in enumerate(os.walk(root)):
        if number > MOST_FOLDERS:
            return
        here = Path(folder)
        own = [name for name in folders if name[:1] != "." and name not in LEFT_OUT]
        folders[:] = sorted(name for name in own if not (here / name / "pyvenv.cfg").is_file())
        for name in sorted(names):
            path = here / name
            if left and name.endswith(".py") and not name.startswith(("test_", "conftest")) and path.is_file():
                left -= 1
                if path.stat().st_size <= MOST_BYTES:
                    yield path


def _import_root(path: Path, root: Path, tree: ast.Module) -> Path:
    """Return where a file is imported from: above its packages; above a folder that it names in its own imports."""
    start = path.parent
    if start != root and any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree)):
        start = start.parent
    while start != root and (start / "__init__.py").is_file():
        start = start.parent
    named = {
        (node.module or "").partition(".")[0] if isinstance(node, ast.ImportFrom) else alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0)
        for alias in node.names
    }
    for folder in [start, *start.parents]:
        if folder == root or not folder.is_relative_to(root):
            break
        if folder.name in named and not any((start / f"{folder.name}{end}").exists() for end in ("", ".py")):
            return folder.parent
    return start
