"""What is wrong with a file of settings, in sentences: the place, what was found, what is allowed, and an example."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from seatrial.errors import unknown

MOST = 5  # wrong settings in one message
SHOWN = 60  # characters of a value
SECRET = ("headers", "body")  # what stands below these names is not repeated
OWN = "seatrial"  # the type of an error whose message is a sentence of ours
BOUNDS = (
    ("exclusiveMinimum", "above"), ("minimum", "of at least"), ("exclusiveMaximum", "below"), ("maximum", "at most"),
)  # fmt: skip


@dataclass(frozen=True)
class Form:
    """How a file is written, and which table of it was read.

    Attributes:
        kind: TOML tables or JSON objects.
        below: the table that was read, empty for the whole file.
    """

    kind: Literal["toml", "json"] = "toml"
    below: tuple[str, ...] = ()

    def place(self, file: str, tables: Sequence[str]) -> str:
        """Return the file and the table in it, to stand before a colon."""
        names = (*self.below, *tables)
        if not names:
            return file
        return f"{file} [{'.'.join(map(_key, names))}]" if self.kind == "toml" else f"{file}, '{'.'.join(names)}'"

    def assigned(self, name: str, value: Any) -> str:
        """Return a setting with its value, as the file would hold it."""
        return f"{_key(name)} = {literal(value)}" if self.kind == "toml" else f'"{name}": {literal(value)}'

    def noun(self, value: Any) -> str:
        """Return what a name with this value is called."""
        if self.kind == "json":
            return "field"
        return "table" if isinstance(value, Mapping) else "setting"


def refuse(*problems: tuple[Sequence[str | int], str], value: Any = None) -> NoReturn:
    """Raise, inside a pydantic validator, one error a problem.

    Args:
        problems: where below the validated value, and a sentence that says what is wrong there.
        value: what was found.
    """
    raise ValidationError.from_exception_data(
        "settings",
        [
            InitErrorDetails(
                type=PydanticCustomError(OWN, "{sentence}", {"sentence": sentence}), loc=tuple(at), input=value
            )
            for at, sentence in problems
        ],
    )


def refusal(
    model: type[BaseModel], error: ValidationError, values: Mapping[str, Any], file: str, form: Form = Form()
) -> str:
    """Return pydantic's errors as one message.

    Args:
        model: what the file may hold.
        error: what pydantic raised.
        values: what the file holds.
        file: its name.
        form: how it is written.
    """
    schema = model.model_json_schema()
    found: dict[tuple[str, ...], tuple[Sequence[str], str]] = {}
    for each in error.errors(include_url=False):
        path, tables, sentence = _sentence(schema, each, values, form)
        found.setdefault(path, (tables, sentence))
    places = list(found.values())
    if len(places) == 1:
        tables, sentence = places[0]
        return f"{form.place(file, tables)}: {sentence}"
    lines = [
        f"  {form.place('', tables).strip(' ,')}: {sentence}" if (*form.below, *tables) else f"  {sentence}"
        for tables, sentence in places[:MOST]
    ]
    if more := len(places) - MOST:
        lines += [f"  … and {more} more."] if more > 0 else []
    return "\n".join([f"{file} has {len(places)} wrong {'settings' if form.kind == 'toml' else 'fields'}:", *lines])


def _sentence(
    schema: dict[str, Any], error: ErrorDetails, values: Mapping[str, Any], form: Form
) -> tuple[tuple[str, ...], Sequence[str], str]:
    """Return what was wrong (a key of it), the tables above it, and the sentence."""
    path, node = _walk(schema, error["loc"])
    *tables, name = path or ("",)
    if error["type"] == "extra_forbidden":
        extra = str(error["loc"][len(path)])
        return (*path, extra), path, unknown(form.noun(error["input"]), extra, node["properties"])
    if error["type"] == OWN:
        return (*path, error["msg"]), tables if _is_value(node) else path, error["msg"]
    if error["type"] == "missing":
        what = "table" if not _is_value(node) and form.kind == "toml" else form.noun(None)
        return path, tables, f"required {what} '{name}' is missing.{_example(name, node, form)}"
    shown = literal(_at(values, path, error["input"]), cut=SHOWN) if not set(path) & {*SECRET} else "something else"
    if not _is_value(node) and form.kind == "toml":
        place = ".".join(map(_key, (*form.below, *path)))
        return path, (), f"'{name}' must be a table, [{place}]; found {shown}."
    return path, tables, f"'{name}' must be {allowed(node)}; found {shown}.{_example(name, node, form)}"


def _walk(schema: dict[str, Any], loc: Sequence[str | int]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the names of ``loc`` as far as they lead to a setting, and the schema of that."""
    node, path = schema, list[str]()
    for part in loc:
        inner = resolved(schema, node)
        below = inner.get("properties", {}).get(part, inner.get("additionalProperties"))
        if not isinstance(part, str) or not isinstance(below, dict):
            break
        node = below
        path.append(part)
    return tuple(path), {**resolved(schema, node), **{k: v for k, v in node.items() if k != "$ref"}}


def resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return what a part of a JSON Schema refers to; of a part that may be null, what else it may be."""
    others = [each for each in node.get("anyOf", ()) if each.get("type") != "null"]
    if len(others) == 1:
        node = {**{k: v for k, v in node.items() if k != "anyOf"}, **others[0]}
    if "$ref" in node:
        target: dict[str, Any] = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        return target
    return node


def allowed(node: dict[str, Any]) -> str:
    """Return which values a part of a JSON Schema allows, to follow "must be".

    Example:
        >>> allowed({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})
        'a number above 0 and below 1'
    """
    if "x-allowed" in node:
        return str(node["x-allowed"])
    if "enum" in node:
        return f"one of {', '.join(map(literal, node['enum']))}"
    kinds = {each.get("type") for each in node.get("anyOf", (node,))} - {"null"}
    kind = "number" if "number" in kinds else next(iter(kinds), None)
    if kind == "array":
        items = node.get("items", {})
        inner = {"string": " of strings", "array": " of lists"}.get(items.get("type"), " of numbers" if items else "")
        return f"a list{inner}"
    return {
        "integer": f"an integer{_range(node)}",
        "number": f"a number{_range(node)}",
        "boolean": "true or false",
        "string": "a non-empty string" if node.get("minLength") else "a string",
        "object": "a table",
    }.get(str(kind), "any value")


def _range(node: dict[str, Any]) -> str:
    if "minimum" in node and "maximum" in node:
        return f" from {node['minimum']:,} to {node['maximum']:,}"
    bounds = [f"{word} {node[key]:,}" for key, word in BOUNDS if key in node]
    return f" {' and '.join(bounds)}" if bounds else ""


def literal(value: Any, *, cut: int = 0) -> str:
    """Return a value as TOML writes it, on one line; cut to so many characters where that is said.

    Example:
        >>> literal(["a", True, 0.5])
        '["a", true, 0.5]'
    """
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(map(literal, value))}]"
    elif isinstance(value, Mapping):
        text = f"{{ {', '.join(f'{_key(k)} = {literal(v)}' for k, v in value.items())} }}" if value else "{}"
    else:
        text = "nothing" if value is None else str(value)
    return f"{text[: cut - 1]}…" if cut and len(text) > cut else text


def _example(name: str, node: dict[str, Any], form: Form) -> str:
    value = (node.get("examples") or [node.get("default")])[0]
    if value is None or value in ([], {}) or not _is_value(node):
        return ""
    unit = f" ({node['x-unit']})" if "x-unit" in node else ""
    return f" Example: {form.assigned(name, value)}{unit}."


def _is_value(node: dict[str, Any]) -> bool:
    return "properties" not in node and not isinstance(node.get("additionalProperties"), dict)


def _at(values: Any, path: Sequence[str], otherwise: Any) -> Any:
    for name in path:
        if not isinstance(values, Mapping) or name not in values:
            return otherwise
        values = values[name]
    return values


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
