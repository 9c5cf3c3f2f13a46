"""What capture and the worker import, module by module; run as a script it prints the files, for a type checker."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
PARTS = ("pipeline", "reference", "worker")  # packages all of whose modules belong to it
DOORS = ("seatrial.registry.mlflow.registry", "seatrial.cli")  # where capture stores; what says why no command runs


@dataclass(frozen=True)
class Imports:
    """The dotted names that a module imports: when it is itself imported, and later, within its functions."""

    first: frozenset[str]
    later: frozenset[str]


def core() -> list[str]:
    """Return the names of the thin core's modules: those it begins with, and all that importing them imports."""
    begin = [name_of(path) for part in PARTS for path in (SOURCE / "seatrial" / part).rglob("*.py")]
    found: set[str] = set()
    waiting = [*begin, *DOORS]
    while waiting:
        name = waiting.pop()
        if name not in found and path_of(name):
            found.add(name)
            waiting += [name.rpartition(".")[0], *imports(name).first]
    return sorted(found)


def name_of(path: Path) -> str:
    """Return the dotted name of the module in a file."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def path_of(name: str) -> Path | None:
    """Return the file of a module of seatrial, or None where it is none."""
    if not name.startswith("seatrial"):
        return None
    path = SOURCE / name.replace(".", "/")
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


@functools.cache
def imports(name: str) -> Imports:
    """Return what a module of seatrial imports; of a name from a package both are returned."""
    path = path_of(name)
    assert path is not None
    found = list(_statements(ast.parse(path.read_text(encoding="utf-8")).body, late=False))
    return Imports(*(frozenset(n for node, at in found if at is late for n in _names(node)) for late in (False, True)))


def _statements(nodes: Iterable[ast.AST], *, late: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Yield the import statements that run, and whether each is within a function."""
    for node in nodes:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from _statements(node.orelse, late=late)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield node, late
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _statements(ast.iter_child_nodes(node), late=late or function)


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]


if __name__ == "__main__":
    sys.stdout.write("".join(f"{path_of(name)}\n" for name in core()))
