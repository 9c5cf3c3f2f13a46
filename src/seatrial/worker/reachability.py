"""Which code a stage reaches: by name, through the files of the project; and what it reaches that is not mutated.

Code that only runs outside a replay (a client of a dependency, training, the wiring of the pipeline) is reached by no
stage: a reference cannot detect a mutant there. Annotations are not code. What is reached and cannot be mutated is
named with the reason: code outside the project, compiled code, objects that a stage is given, and calls that choose
what they call by a text.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from seatrial.pipeline import Pipeline
from seatrial.worker.entries import Entry, entries_of
from seatrial.worker.project_files import ProjectFiles, installed, is_own
from seatrial.worker.sources import Module, Source, Use, module_of

LIBRARY = "an installed package"
ELSEWHERE = "outside the project's folder"


@dataclass(frozen=True)
class Definition:
    """A function, class or constant at the top of a file, or a lambda; and the stages whose code reaches it.

    Attributes:
        file: the file.
        name: of the definition.
        first_line: from 1.
        last_line: included.
        stages: in path order.
        columns: of a part of its lines: where it starts in the first, and ends in the last; None for whole lines.
    """

    file: Path
    name: str
    first_line: int
    last_line: int
    stages: tuple[str, ...]
    columns: tuple[int, int] | None = None


@dataclass(frozen=True)
class Unmutated:
    """Code that stages reach and that is not mutated, and why."""

    what: str
    reason: str
    stages: tuple[str, ...]


@dataclass
class Reached:
    """What the stages of a pipeline reach: what can be mutated, by file and line, and what cannot."""

    definitions: list[Definition] = field(default_factory=list)
    unmutated: list[Unmutated] = field(default_factory=list)


def reached(pipeline: Pipeline, folder: Path) -> Reached:
    """Return what the stages reach; code in files below ``folder`` can be mutated."""
    code = ProjectFiles(folder)
    spans: dict[tuple[Path, str, int, int, tuple[int, int] | None], list[str]] = {}
    unmutated: dict[tuple[str, str], list[str]] = {}
    for stage in pipeline.stages:
        walk = _Walk(code, stage)
        for entry in entries_of(pipeline.stage(stage).function):
            walk.enter(entry)
        walk.follow()
        for name in pipeline.stage(stage).needs:
            if name not in pipeline.dependencies:  # the client of a dependency is not run: its answers are recorded
                walk.note(f"the methods of '{name}'", "it is an object that the stage is given")
        for span in walk.spans:
            spans.setdefault(span, []).append(stage)
        for noted in walk.unmutated:
            unmutated.setdefault(noted, []).append(stage)
    found = [Definition(file, name, a, b, tuple(by), at) for (file, name, a, b, at), by in spans.items()]
    return Reached(
        sorted(found, key=lambda d: (str(d.file), d.first_line, d.name)),
        [Unmutated(what, why, tuple(by)) for (what, why), by in sorted(unmutated.items())],
    )


class _Walk:
    """Follows names from the function of one stage."""

    def __init__(self, code: ProjectFiles, stage: str) -> None:
        self.code, self.stage = code, stage
        self.spans: list[tuple[Path, str, int, int, tuple[int, int] | None]] = []
        self.unmutated: dict[tuple[str, str], None] = {}
        self._seen: set[tuple[Path, str]] = set()
        self._waiting: list[tuple[Path, str]] = []

    def note(self, what: str, why: str) -> None:
        """Name what is reached and not mutated."""
        self.unmutated[what, why] = None

    def enter(self, entry: Entry) -> None:
        """Begin at what a stage's function is made of."""
        if entry.file is None:
            self.note(entry.what, entry.reason)
        elif not self.code.mine(entry.file):
            self._outside(Module(entry.module, entry.file), entry.what)
        elif entry.lambda_line:
            self._lambda(entry)
        else:
            self._waiting.append((entry.file, entry.name))

    def follow(self) -> None:
        """Follow every name that waits, until none is left."""
        while True:
            while self._waiting:
                file, name = self._waiting.pop()
                if (file, name) not in self._seen:
                    self._seen.add((file, name))
                    self._define(self.code.source(file), name)
            if not self._registered():
                return

    def _define(self, source: Source, name: str) -> None:
        if use := source.imported(name):
            self._use(source, use)
        for statement in source.defined.get(name, ()):
            first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))])
            span = (source.file, name, first, statement.end_lineno or first, None)
            if span not in self.spans:
                self.spans.append(span)
            self._read(source, statement)
        if name not in source.defined and not source.imported(name):
            for star in source.stars:
                self._use(source, Use(star, name), maybe=True)

    def _read(self, source: Source, node: object) -> None:
        for use in source.uses(node):  # type: ignore[arg-type]
            self._use(source, use)
        for line, text in source.dynamic(node):  # type: ignore[arg-type]
            self.note(f"what {text} calls ({source.file.name}:{line})", "it is chosen by a text at run time")

    def _use(self, source: Source, use: Use | str, *, maybe: bool = False) -> None:
        if isinstance(use, str):
            self._waiting.append((source.file, use))
            return
        module = module_of(use.module)
        if module is None or is_own(use.module) or (module.file is None and not module.reason):
            return
        if module.file is not None and self.code.mine(module.file):
            there = self.code.source(module.file, use.module)
            known = use.name in there.defined or there.imported(use.name) or there.stars or maybe
            if not known and "__getattr__" in there.defined:
                self.note(f"{use.module}.{use.name}", "its module makes it when it is first used")
                self._waiting.append((module.file, "__getattr__"))
            self._waiting.append((module.file, use.name))
        elif not maybe:
            self._outside(module, f"{use.module}.{use.name}")

    def _outside(self, module: Module, what: str) -> None:
        top = module.name.partition(".")[0]
        if top in sys.stdlib_module_names or is_own(top):
            return
        if module.file is None and not _in_package(top):
            self.note(what, module.reason)
        elif module.file is None or installed(str(module.file)):
            self.note(top, LIBRARY)
        else:
            self.note(what, ELSEWHERE)

    def _lambda(self, entry: Entry) -> None:
        assert entry.file is not None
        source = self.code.source(entry.file)
        spans = list(entry.lambdas(source.tree))
        if not spans:
            self.note(entry.what, "its source cannot be told apart")
        for node in spans:
            columns = (source.column(node.lineno, node.col_offset), source.column(node.end_lineno, node.end_col_offset))
            self.spans.append((source.file, "<lambda>", node.lineno, node.end_lineno or node.lineno, columns))
            self._read(source, node)

    def _registered(self) -> bool:
        """Reach what is put into a table that is reached, by a decorator or a call: nothing else mentions it."""
        before = len(self._waiting)
        for source in self.code.sources():
            for name, tables in source.registering:
                if (source.file, name) not in self._seen and any(self._fills(source, t) for t in tables):
                    self._waiting.append((source.file, name))
        return len(self._waiting) > before

    def _fills(self, source: Source, through: object) -> bool:
        """Whether code uses a table of the project that is reached: it is one, or reads one."""
        for place in self._places(source, through):
            there = self.code.source(place[0])
            tables = [t for s in there.defined.get(place[1], ()) for t in self._places(there, s)]
            if any(t in self._seen and _is_table(self.code.source(t[0]), t[1]) for t in (place, *tables)):
                return True
        return False

    def _places(self, source: Source, node: object) -> Iterator[tuple[Path, str]]:
        """Yield the files and names in the project that code mentions, imports followed once."""
        for use in source.uses(node):  # type: ignore[arg-type]
            found: Use | str | None = source.imported(use) if isinstance(use, str) else use
            if isinstance(found, Use):
                module = module_of(found.module)
                if module is not None and module.file is not None and self.code.mine(module.file):
                    yield module.file, found.name
            elif isinstance(use, str) and use in source.defined:
                yield source.file, use


def _is_table(source: Source, name: str) -> bool:
    return any(not hasattr(statement, "decorator_list") for statement in source.defined.get(name, ()))


def _in_package(top: str) -> bool:
    module = module_of(top)
    return module is not None and module.file is not None and installed(str(module.file))
