"""The numbers and texts that the reached code compares with, and rows at, just below and just above each of them.

No recorded row may lie at ``amount > 1000``, and no row drawn at random does: a mutant of such a comparison would count
as equivalent. A literal is tried on the column that it is compared with, where the code shows one that the requests
have; else on every column of its type, for a request's field may reach the comparison under another name.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds

from seatrial.worker.reachability import Definition

MOST_LITERALS = 200
MOST_ROWS = 3_000  # of one literal each
COMBINED_ROWS = 1_000  # of several at once: a branch within a branch
LONGEST = 1_000  # characters of a text made to have a length
METHODS = {
    "isin", "between", "clip", "eq", "ne", "lt", "le", "gt", "ge", "get", "startswith", "endswith", "contains", "cut",
    "digitize", "searchsorted", "where", "mask", "replace", "select", "minimum", "maximum", "equals",
}  # fmt: skip
EXPRESSIONS = {"query", "eval"}  # take their comparison as a text

Value = float | int | str


@dataclass(frozen=True)
class Literal:
    """A value that code compares with.

    Attributes:
        value: a number or a text.
        column: that it is compared with, as far as the code shows one; else empty.
        place: the file and line, for people.
    """

    value: Value
    column: str
    place: str


def literals_of(definitions: Sequence[Definition]) -> list[Literal]:
    """Return what the definitions compare with, in the order of the code; nothing of it runs."""
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in dict.fromkeys(d.file for d in definitions)}
    inside = [(d.file, node) for d in definitions for node in _within(trees[d.file], d)]
    constants = {name: value for _, node in inside for name, value in _constants(node)}
    found: dict[tuple[str, Value, str], Literal] = {}
    for file, node in inside:
        for value, column, line in _compared(node, constants):
            if isinstance(value, str) or math.isfinite(value):
                found.setdefault((type(value).__name__, value, column), _literal(value, column, file, line))
    known = [v for v in found.values() if v.column] + [v for v in found.values() if not v.column]
    return known[:MOST_LITERALS]


def boundary_rows(
    fields: pa.Table, literals: Sequence[Literal], fixed: frozenset[str], seed: int
) -> tuple[pa.Table, list[str]]:
    """Return ordinary rows with values at the boundaries, and where each comes from.

    Args:
        fields: recorded requests, without their key.
        literals: what the code compares with.
        fixed: columns that must not be changed.
        seed: of the choice of rows.
    """
    rng = np.random.default_rng([seed, 2])
    names = [name for name in fields.column_names if name not in fixed]
    tried: list[tuple[str, Any, str]] = []
    for literal in (v for v in literals if v.column or v.value not in fields.column_names):  # a field's own name
        on = [literal.column] if literal.column in names else names
        for name in on:
            scalars = _scalars(literal.value, fields[name], named=name == literal.column)
            tried += [(name, scalar, f"{name} at {literal.value!r} of {literal.place}") for scalar in scalars]
    tried = list({(name, str(scalar)): (name, scalar, why) for name, scalar, why in reversed(tried)}.values())[::-1]
    tried = tried[:MOST_ROWS]
    if not tried or not len(fields):
        return fields.slice(0, 0), []
    changes: list[dict[str, Any]] = [{name: scalar} for name, scalar, _ in tried]
    origins = [why for *_, why in tried]
    by_name: dict[str, list[Any]] = {}
    for name, scalar, _ in tried:
        by_name.setdefault(name, []).append(scalar)
    if len(by_name) > 1:
        for _ in range(COMBINED_ROWS):
            on = [name for name in by_name if rng.random() < 0.5] or list(by_name)
            changes.append({name: by_name[name][rng.integers(len(by_name[name]))] for name in on})
            origins.append("several values of the code at once")
    rows = fields.take(pa.array(rng.integers(0, len(fields), len(changes))))
    for name in by_name:
        cells = rows[name].to_pylist()
        for n, change in enumerate(changes):
            if name in change:
                cells[n] = change[name]
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(cells, rows.schema.field(name).type))
    return rows, origins


def _literal(value: Value, column: str, file: Path, line: int) -> Literal:
    return Literal(value, column, f"{file.name}:{line}")


def _within(tree: ast.Module, definition: Definition) -> Iterator[ast.stmt]:
    for node in tree.body:
        if node.lineno <= definition.last_line and (node.end_lineno or node.lineno) >= definition.first_line:
            yield node


def _constants(node: ast.stmt) -> Iterator[tuple[str, list[Value]]]:
    """Yield the values of a constant at the top of a file by its name: of a table, its keys and values."""
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, list(_values(node.value, {}))
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for part, value in zip(target.elts, node.value.elts, strict=False):
                    if isinstance(part, ast.Name):
                        yield part.id, list(_values(value, {}))


def _compared(node: ast.AST, constants: dict[str, list[Value]]) -> Iterator[tuple[Value, str, int]]:
    for part in ast.walk(node):
        line = getattr(part, "lineno", 1)
        if isinstance(part, ast.Compare):
            sides = [part.left, *part.comparators]
            column = next(filter(None, map(_column, sides)), "")
            yield from ((v, column, line) for side in sides for v in _values(side, constants))
        elif isinstance(part, ast.Call):
            name = getattr(part.func, "attr", getattr(part.func, "id", ""))
            given = [*part.args, *(k.value for k in part.keywords)]
            if name in EXPRESSIONS and given and isinstance(given[0], ast.Constant):
                yield from ((v, c, line) for v, c, _ in _compared_in(str(given[0].value), constants))
            elif name in METHODS or name == "map":
                column = _column(part.func) or next(filter(None, map(_column, given)), "")
                yield from ((v, column, line) for each in given for v in _values(each, constants))
        elif isinstance(part, ast.Dict):
            yield from ((v, "", line) for key in part.keys if key is not None for v in _values(key, constants))
        elif isinstance(part, ast.MatchValue):
            yield from ((v, "", line) for v in _values(part.value, constants))


def _compared_in(text: str, constants: dict[str, list[Value]]) -> Iterator[tuple[Value, str, int]]:
    try:
        tree = ast.parse(text.replace("@", ""), mode="eval")
    except SyntaxError:
        return
    for value, column, line in _compared(tree, constants):
        names = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name)]
        yield value, column or (names[0] if len(set(names)) == 1 else ""), line


def _values(node: ast.AST, constants: dict[str, list[Value]]) -> Iterator[Value]:
    """Yield the values that stand in code: a constant's, a negative number's, a list's, those of a named constant."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str) and node.value is not True:
        if node.value is not False and node.value != "":
            yield node.value
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield from (-v for v in _values(node.operand, constants) if not isinstance(v, str))
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        yield from (v for each in node.elts for v in _values(each, constants))
    elif isinstance(node, ast.Dict):
        yield from (v for key in node.keys if key is not None for v in _values(key, constants))
    elif isinstance(node, ast.Name | ast.Attribute):
        yield from constants.get(node.id if isinstance(node, ast.Name) else node.attr, ())


def _column(node: ast.AST) -> str:
    """Return the column that code reads: of ``frame["amount"].abs()``, ``amount``; or empty."""
    while True:
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return node.slice.value if isinstance(node.slice.value, str) else ""
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        else:
            return ""


def _scalars(value: Value, column: pa.ChunkedArray, *, named: bool) -> list[Any]:
    """Return the values at a boundary, as cells of a column; none where its type has no such values."""
    kind = column.type.value_type if kinds.is_dictionary(column.type) else column.type
    textual = kinds.is_string(kind) or kinds.is_large_string(kind)
    if isinstance(value, str):
        if textual:
            near = [value.lower(), value.upper(), value[:-1], f"{value}_"] if named else []
            return list(dict.fromkeys([value, *near]))
        return _cast([value], kind) if kinds.is_temporal(kind) else []
    if textual:  # its length is compared
        lengths = range(max(int(value) - 1, 0), int(value) + 2) if named and 0 < value < LONGEST else ()
        return ["x" * n for n in lengths]
    if kinds.is_floating(kind):
        return _floats(value, {16: np.float16, 32: np.float32}.get(kind.bit_width, np.float64))
    if kinds.is_integer(kind):
        low, high = math.floor(value), math.ceil(value)
        return _cast(dict.fromkeys([low, high] if low != high else [low, low - 1, low + 1]), kind)
    return _cast([str(value), str(value - 1), str(value + 1)], kind) if kinds.is_decimal(kind) else []


def _floats(value: float, of: Any) -> list[float]:
    with np.errstate(all="ignore"):
        at = of(value)
        near = [at, np.nextafter(at, of(-np.inf)), np.nextafter(at, of(np.inf)), at - of(1), at + of(1)]
    return list(dict.fromkeys(float(v) for v in near if np.isfinite(v)))


def _cast(values: Iterable[Any], kind: Any) -> list[Any]:
    found = []
    for value in values:
        try:
            found.append(pa.scalar(value).cast(kind).as_py())
        except (pa.ArrowException, OverflowError, ValueError, TypeError):
            continue
    return found
