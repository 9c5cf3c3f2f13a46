"""What a policy declares, read from its files without running them: each setting with its text."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from seatrial.formatting import without_user
from seatrial.pipeline import SERVICE
from seatrial.policy.consumers import FOLDER
from seatrial.policy.graph import GRAPHS
from seatrial.policy.refusals import literal
from seatrial.policy.service import FILE
from seatrial.promotion.assurance.mapping import OTHER, every_setting, settings_of
from seatrial.sinks.text import neutral

OF_A_STAGE = ("tolerances", "expectations", "quality")
TABLES_OF_TABLES = ("dependencies", "checks")
LONG = 400  # characters of a value that are shown
STAR, IN_CODE = "*", "set by other code of the file"
STAGE, EXAMPLE, GRAPH = "STAGE", f"{FOLDER}/", "graph"  # in the map


@dataclass(frozen=True)
class Declared:
    """One setting of a policy.

    Attributes:
        file: its file, below the folder of the policy.
        name: of the setting, such as ``slo``, ``dependencies.store`` or ``features.quality``.
        value: as it is written, on one line.
        names: of the arguments that it sets, and its own.
    """

    file: str
    name: str
    value: str
    names: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """What results refer to it by."""
        return neutral(self.file if self.name in (EXAMPLE, GRAPH) else f"{self.file}: {self.name}")


def declared(files: Mapping[str, bytes]) -> tuple[Declared, ...]:
    """Return every setting that is the threshold of a check.

    Example:
        >>> [(each.id, each.value) for each in declared({"service.toml": b"[slo]\\nlimit_ms = 250\\nrate = 10"})]
        [('service.toml: slo', 'limit_ms = 250, rate = 10')]
    """
    found: list[Declared] = []
    for name, content in sorted(files.items()):
        path = PurePosixPath(name)
        if name == FILE:
            found += filter(_judges, _tables(tomllib.loads(content.decode("utf-8"))))
        elif path.suffix == ".py" and len(path.parts) == 1:
            found += _settings(name, path.stem, ast.parse(content))
        elif name in GRAPHS:
            found.append(Declared(name, GRAPH, "the steps of an InferenceGraph"))
        elif path.parts[0] == FOLDER:
            found.append(Declared(name, EXAMPLE, "what a consumer relies on"))
    return tuple({each.id: each for each in found}.values())


def of_case(every: tuple[Declared, ...], check: str, stage: str | None) -> tuple[Declared, ...]:
    """Return the thresholds of a case: of its stage and its dependency where they name one, else all of its check."""
    return tuple(each for each in every if any(_is(each, pattern, stage) for pattern in settings_of(check)))


def _is(setting: Declared, pattern: str, stage: str | None) -> bool:
    table, _, last = setting.name.partition(".")
    if pattern.startswith(f"{STAGE}."):
        mine = stage in (table, SERVICE, None)  # the service, and the whole path, are judged by all stages' files
        return setting.file.endswith(".py") and last == pattern.removeprefix(f"{STAGE}.") and mine
    if pattern == setting.name and pattern in (EXAMPLE, GRAPH):
        return True
    if setting.file != FILE:
        return False
    if pattern == "dependencies" and table == pattern:
        return stage in (last, SERVICE, None)
    return setting.name == pattern


def _judges(setting: Declared) -> bool:
    """Return whether a table of service.toml decides what a check finds, and not only what a pass does."""
    return setting.name.startswith(OTHER) or any(_is(setting, pattern, None) for pattern in every_setting())


def _tables(document: Mapping[str, Any]) -> Iterator[Declared]:
    for name, table in document.items():
        nested = name in TABLES_OF_TABLES
        for key, value in ({f"{name}.{k}": v for k, v in table.items()} if nested else {name: table}).items():
            if isinstance(value, Mapping):
                said = ", ".join(f"{k} = {literal(v)}" for k, v in value.items())
                yield Declared(FILE, key, _short(said), frozenset({name, *value}))


def _settings(file: str, stage: str, module: ast.Module) -> Iterator[Declared]:
    """Yield the settings of a stage's file: what is assigned, defined or imported under their names, wherever in it."""
    plain = {name: node for node in module.body for name in _bound(node)}
    bound = {name for node in ast.walk(module) for name in _bound(node)}
    for name in OF_A_STAGE if STAR in bound else sorted(bound & {*OF_A_STAGE}):
        node = plain.get(name)
        value = getattr(node, "value", None) or node
        said = " ".join(ast.unparse(value).split()) if value is not None else IN_CODE
        within = module if value is None or isinstance(value, ast.Name) else value
        calls = [each for each in ast.walk(within) if isinstance(each, ast.Call)]
        arguments = {keyword.arg for call in calls for keyword in call.keywords if keyword.arg}
        yield Declared(file, f"{stage}.{name}", _short(said), frozenset({name, *arguments}))


def _bound(node: ast.AST) -> list[str]:
    """Return the names that a node gives a value to."""
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id] if node.value is not None else []
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.ImportFrom | ast.Import):
        return [alias.asname or alias.name for alias in node.names]
    return [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else []


def _short(said: str) -> str:
    shown = without_user(said)
    return shown if len(shown) <= LONG else f"{shown[: LONG - 1]}…"
