"""Code mutants: one small change of the source each, made by the operators of mutmut.

mutmut 3 is chosen because its operators are plain functions from a node of libcst to changed nodes, usable without its
runner, and because they drop and replace arguments of calls, which is where most of the meaning of pandas code
is; those of cosmic-ray do not, and need a database and a distribution layer. Annotations, imports,
decorators without arguments and docstrings are left alone, and so are ``len`` and ``isinstance``, as mutmut does.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.errors import UsageError
from seatrial.worker.reachability import Definition

if TYPE_CHECKING:
    import libcst as cst

UNCALLED = ("len", "isinstance")  # as in mutmut: their mutants are crashes or nothing


@dataclass(frozen=True)
class CodeChange:
    """One change of one file.

    Attributes:
        file: the file.
        line: where the change begins, from 1.
        number: among the changes of this file, in the order they were made.
        definition: the function or constant it is in.
        stages: the stages whose code reaches that, in path order.
    """

    file: Path
    line: int
    number: int
    definition: str
    stages: tuple[str, ...]

    @property
    def source(self) -> str:
        """The file's text with the change."""
        module, changes = _changes(self.file)
        change = changes[self.number]
        body = list(module.body)  # to replace in the whole module takes a tenth of a second
        body[change.statement] = body[change.statement].deep_replace(change.original, change.mutated)
        text: str = module.with_changes(body=body).code
        return text

    @property
    def diff(self) -> str:
        """The change as removed and added lines."""
        before, after = _changes(self.file)[0].code.splitlines(), self.source.splitlines()
        lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
        return "\n".join(line for line in lines if not line.startswith("@@"))


def code_changes(definitions: Sequence[Definition]) -> list[CodeChange]:
    """Return every change of the definitions, by file and line.

    Raises:
        UsageError: mutmut is not installed.
    """
    found = []
    for file in dict.fromkeys(d.file for d in definitions):
        inside = [d for d in definitions if d.file == file]
        for number, change in enumerate(_changes(file)[1]):
            here = [d for d in inside if change.inside(d)]
            if here:
                stages = dict.fromkeys(s for d in here for s in d.stages)
                found.append(CodeChange(file, change.line, number, here[0].name, tuple(stages)))
    return sorted(found, key=lambda m: (str(m.file), m.line, m.number))


@dataclass(frozen=True)
class _Change:
    """A node of a file and its replacement, with its place and the number of the top-level statement that it is in."""

    line: int
    column: int
    statement: int
    original: cst.CSTNode
    mutated: cst.CSTNode

    def inside(self, definition: Definition) -> bool:
        """Whether the change is in a definition."""
        if definition.columns is None:
            return definition.first_line <= self.line <= definition.last_line
        first, last = definition.columns
        return (definition.first_line, first) <= (self.line, self.column) < (definition.last_line, last)


def _changes(file: Path) -> tuple[Any, list[_Change]]:
    """Return the parsed file, and its changes."""
    return _changes_of(file.read_text(encoding="utf-8"))


@lru_cache(maxsize=64)
def _changes_of(text: str) -> tuple[Any, list[_Change]]:
    try:
        import libcst as cst
        from libcst.metadata import MetadataWrapper, PositionProvider
        from mutmut.mutation.mutators import mutation_operators
    except ImportError as error:
        raise UsageError(
            "Code mutants are made by mutmut, which is not installed. Install it: pip install 'seatrial[mutation]'."
        ) from error

    class Changes(cst.CSTVisitor):  # type: ignore[misc]
        METADATA_DEPENDENCIES = (PositionProvider,)

        def __init__(self) -> None:
            super().__init__()
            self.found: list[_Change] = []
            self.line, self.column, self.statement = 1, 0, 0

        def on_visit(self, node: cst.CSTNode) -> bool:
            if _left_alone(cst, node):
                return False
            self.statement = statements.get(node, self.statement)
            position = self.get_metadata(PositionProvider, node, None)
            if position:
                self.line, self.column = position.start.line, position.start.column
            seen = {wrapper.module.code_for_node(node)}
            for kind, operator in mutation_operators:
                for mutated in operator(node) if isinstance(node, kind) else ():
                    text = wrapper.module.code_for_node(mutated)
                    if text not in seen:
                        seen.add(text)
                        self.found.append(_Change(self.line, self.column, self.statement, node, mutated))
            return True

    wrapper = MetadataWrapper(cst.parse_module(text))
    statements = {statement: n for n, statement in enumerate(wrapper.module.body)}
    visitor = Changes()
    wrapper.visit(visitor)
    return wrapper.module, visitor.found


def _left_alone(cst: Any, node: Any) -> bool:
    if isinstance(node, cst.Annotation | cst.Import | cst.ImportFrom):
        return True
    if isinstance(node, cst.Decorator):  # what a decorator is given, a limit for instance, is code as any other
        return not isinstance(node.decorator, cst.Call)
    if isinstance(node, cst.Expr) and isinstance(node.value, cst.SimpleString | cst.ConcatenatedString):
        return True  # a docstring
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value in UNCALLED
