"""The fields of requests and answers, as pydantic models, JSON Schemas and handlers declare them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seatrial.cli.start.sources import Module, called_name, dotted, find

DTYPES = {"str": "string", "int": "int64", "float": "float64", "bool": "bool"}
MISSING = {"int64": "Int64", "bool": "boolean"}  # the types of a field that may be null
CONSTRAINED = {
    "constr": "str", "EmailStr": "str", "UUID": "str", "StrictStr": "str", "conint": "int", "StrictInt": "int",
    "PositiveInt": "int", "NonNegativeInt": "int", "confloat": "float", "StrictFloat": "float", "FiniteFloat": "float",
    "PositiveFloat": "float", "NonNegativeFloat": "float", "StrictBool": "bool",
}  # fmt: skip
JSON_TYPES = {"string": "string", "integer": "int64", "number": "float64", "boolean": "bool"}


@dataclass(frozen=True)
class Field:
    """One field of a record: its name, and its pandas type, empty where it is not known."""

    name: str
    dtype: str = ""


def model_fields(modules: Sequence[Module], module: Module, name: str, depth: int = 0) -> tuple[Field, ...]:
    """Return the fields of a class by its name as a module uses it; none where it is not found here."""
    found = find(modules, module, name, "classes")
    if found is None or depth > 5:
        return ()
    where, definition = found
    inherited = [f for base in definition.bases for f in model_fields(modules, where, dotted(base), depth + 1)]
    own = [
        Field(node.target.id, dtype_of(node.annotation))
        for node in definition.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id != "model_config"
    ]
    names = {field.name for field in own}
    return (*(field for field in inherited if field.name not in names), *own)


def dtype_of(node: ast.expr | None) -> str:
    """Return the pandas type of an annotation; the empty text where a cell is no single value.

    Example:
        >>> dtype_of(ast.parse("int | None", mode="eval").body)
        'Int64'
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return dtype_of(_parsed(node.value))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right])
    if isinstance(node, ast.Subscript):
        return _subscripted(dotted(node.value).rpartition(".")[2], node.slice)
    name = dotted(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]
    return DTYPES.get(CONSTRAINED.get(name, name), "")


def _subscripted(outer: str, inner: ast.expr) -> str:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if outer == "Literal":
        kinds = {type(each.value).__name__ for each in parts if isinstance(each, ast.Constant)}
        return DTYPES.get(kinds.pop(), "") if len(kinds) == 1 else ""
    if outer == "Annotated":
        return dtype_of(parts[0])
    if outer == "Optional":
        return _union([*parts, ast.Constant(None)])
    return _union(parts) if outer == "Union" else ""


def _union(parts: Sequence[ast.expr]) -> str:
    real = [each for each in parts if not (isinstance(each, ast.Constant) and each.value is None)]
    dtype = dtype_of(real[0]) if len(real) == 1 else ""
    return MISSING.get(dtype, dtype) if len(real) < len(parts) else dtype


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


def read_fields(handler: ast.AST) -> tuple[Field, ...]:
    """Return the fields that a handler takes of ``request.json``, with the types that it makes of them."""
    names = {"request.json"} | {
        target.id
        for node in ast.walk(handler)
        if isinstance(node, ast.Assign) and _is_body(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: dict[str, str] = {}
    order = sorted(ast.walk(handler), key=lambda n: (getattr(n, "lineno", 0), getattr(n, "col_offset", 0)))
    for node in order:
        cast = ""
        if isinstance(node, ast.Call) and len(node.args) == 1:
            cast, inner = DTYPES.get(dotted(node.func), ""), node.args[0]
        else:
            inner = node  # type: ignore[assignment]
        if name := _field(inner, names):
            found[name] = found.get(name) or cast
    return tuple(Field(name, dtype) for name, dtype in found.items())


def _is_body(node: ast.expr) -> bool:
    called = called_name(node) if isinstance(node, ast.Call) else dotted(node)
    return called in ("request.get_json", "request.json", "flask.request.get_json", "flask.request.json") or (
        called.endswith("loads") and isinstance(node, ast.Call) and "request" in ast.dump(node)
    )


def _field(node: ast.AST, names: set[str]) -> str:
    """Return the name of the field that an expression takes of the body: ``data["x"]`` or ``data.get("x")``."""
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript) and (dotted(node.value) in names or _is_body(node.value)):
        key = node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        key = node.args[0] if dotted(node.func.value) in names or _is_body(node.func.value) else None
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def written_fields(handler: ast.AST) -> tuple[Field, ...]:
    """Return the fields of the record that a handler returns: a dict, ``jsonify(...)``, or a call with keywords."""
    returned = [list(_written(node.value)) for node in ast.walk(handler) if isinstance(node, ast.Return)]
    answers = [names for names in returned if names and not {"error", "errors", "detail", "message"} & {*names}]
    return tuple(map(Field, answers[-1])) if answers else ()


def _written(node: ast.expr | None) -> Iterator[str]:
    if isinstance(node, ast.Tuple) and node.elts:
        node = node.elts[0]
    if isinstance(node, ast.Dict):
        yield from (key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
    elif isinstance(node, ast.Call):
        yield from (each.arg for each in node.keywords if each.arg)
        for argument in node.args:
            yield from _written(argument) if isinstance(argument, ast.Dict | ast.Call) else ()


def schema_fields(document: Mapping[str, Any], schema: Any, depth: int = 0) -> tuple[Field, ...]:
    """Return the fields of a schema of an OpenAPI document."""
    schema = _resolved(document, schema)
    properties = schema.get("properties")
    if not isinstance(properties, dict) or depth > 5:
        return ()
    return tuple(Field(str(name), _json_dtype(_resolved(document, each))) for name, each in properties.items())


def _json_dtype(schema: Mapping[str, Any]) -> str:
    parts = schema.get("anyOf")
    kinds = [p.get("type") for p in parts if isinstance(p, dict)] if isinstance(parts, list) else [schema.get("type")]
    real = [kind for kind in kinds if kind != "null"]
    dtype = JSON_TYPES.get(str(real[0]), "") if len(real) == 1 else ""
    return MISSING.get(dtype, dtype) if len(real) < len(kinds) else dtype


def _resolved(document: Mapping[str, Any], schema: Any) -> dict[str, Any]:
    for _ in range(20):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        schema = document
        for part in reference[2:].split("/"):
            schema = schema.get(part, {}) if isinstance(schema, dict) else {}
    return schema if isinstance(schema, dict) else {}
