"""JSON Schemas of a project's settings files, for editors, and the reference pages, from the same Pydantic models.

``python -m seatrial.cli.reference docs`` writes both below ``docs/``; a test says when they are out of date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from seatrial.errors import EXIT_PASS, UsageError, unknown
from seatrial.io.files import atomic_write
from seatrial.policy.refusals import allowed, literal, resolved

MODELS: Mapping[str, tuple[str, str]] = {
    "pyproject-tool-seatrial": ("seatrial.policy.tool", "ToolSettings"),
    "service": ("seatrial.policy.service", "ServiceSettings"),
    "fixtures": ("seatrial.fixtures.spec", "Fixtures"),
    "contract-example": ("seatrial.policy.consumers", "ExampleFile"),
    "evidence": ("seatrial.promotion.assurance.model", "Evidence"),
}
JSON = ("contract-example", "evidence")  # the others are TOML, which has no null
ROOTS: Mapping[str, tuple[str, ...]] = {"pyproject-tool-seatrial": ("tool", "seatrial")}
DRAFT = "http://json-schema.org/draft-07/schema#"  # the one that every TOML editor knows
LISTED = "[]"  # after the name of a list of tables
MADE = "<!-- Generated from the code by 'python -m seatrial.cli.reference docs'. Do not edit. -->"


class _Untitled(GenerateJsonSchema):
    """Without titles: they repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a file, draft 7.

    Args:
        name: ``service``, ``fixtures``, ``pyproject-tool-seatrial``, ``contract-example`` or ``evidence``.

    Raises:
        UsageError: no such file, with the nearest name.

    Example:
        >>> schema("service")["properties"]["slo"]["description"][:30]
        'The service-level objective. W'
    """
    made: dict[str, Any] = _for_editors(_raw(name), null=name in JSON)
    return {"$schema": DRAFT, "title": name, **made}


@cache
def _raw(name: str) -> dict[str, Any]:
    if name not in MODELS:
        raise UsageError(unknown("Schema", name, MODELS))
    module, model = MODELS[name]
    settings: type[BaseModel] = getattr(import_module(module), model)
    return settings.model_json_schema(schema_generator=_Untitled)


def _for_editors(node: Any, *, null: bool) -> Any:
    """Return a schema whose descriptions name the units, without what editors have no use for."""
    if isinstance(node, list):
        return [_for_editors(each, null=null) for each in node]
    if not isinstance(node, dict):
        return node
    if not null and (others := [each for each in node.get("anyOf", ()) if each != {"type": "null"}]):
        rest = {k: v for k, v in node.items() if k != "anyOf" and (k, v) != ("default", None)}
        node = {**rest, **(others[0] if len(others) == 1 else {"anyOf": others})}
    kept: dict[str, Any] = {
        key: _for_editors(value, null=null)
        for key, value in node.items()
        if key not in ("x-unit", "x-allowed")
        and not (key == "title" and isinstance(value, str))  # the name of a class
        and not (key == "default" and isinstance(value, dict))
    }
    if unit := node.get("x-unit"):
        kept["description"] = f"{node['description']} Unit: {unit}."
    if isinstance(said := kept.get("description"), str):
        kept["description"] = said.replace("``", "`")
    if "$ref" in kept and len(kept) > 1:  # draft 7 ignores what stands beside a reference
        kept["allOf"] = [{"$ref": kept.pop("$ref")}]
    return kept


def text(name: str) -> str:
    """Return the JSON Schema of a file as it is published."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def reference(name: str) -> str:
    """Return the reference page of a file: each table with its settings, in Markdown."""
    raw, root = _raw(name), ROOTS.get(name, ())
    lines = [MADE, "", f"# {_title(name)}", ""]
    for path, node in _tables(raw, raw, root):
        if path != root:
            lines += [f"## `[{'.'.join(path)}]`" if name not in JSON else f"## `{'.'.join(path)}`", ""]
        lines += [node["description"].replace("``", "`"), ""]
        rows = [_row(raw, n, field, node) for n, field in node["properties"].items() if not _inner(raw, field)]
        if rows:
            lines += ["| setting | value | default | description |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines).rstrip() + "\n"


def show(name: str, *, to: Path | None = None) -> int:
    """Print the JSON Schema of a settings file, for completion and validation in an editor.

    Args:
        name: service, fixtures, pyproject-tool-seatrial, contract-example or evidence.
        to: write it to this file instead of printing it.
    """
    if to is None:
        print(text(name), end="")  # noqa: T201
    else:
        atomic_write(to, text(name).encode())
    return EXIT_PASS


def _title(name: str) -> str:
    return {
        "pyproject-tool-seatrial": "`pyproject.toml`, `[tool.seatrial]`",
        "service": "`expectations/service.toml`",
        "fixtures": "`expectations/fixtures.toml`",
        "contract-example": "`expectations/contract/CONSUMER/NAME.json`",
        "evidence": "`seatrial evidence --json`",
    }[name]


def _inner(raw: dict[str, Any], field: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return the table that a field is, and what names its tables where it holds several."""
    node = resolved(raw, field)
    if "properties" in node:
        return "", node
    if "properties" in (each := resolved(raw, node.get("items", {}))):
        return LISTED, each
    below = node.get("additionalProperties")
    if isinstance(below, dict) and "properties" in (table := resolved(raw, below)):
        return "<name>", table
    return None


def _tables(
    raw: dict[str, Any], node: dict[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    yield path, node
    for name, field in node["properties"].items():
        if inner := _inner(raw, field):
            key = f"<{name.removesuffix('s')}>" if name != "dependencies" else "<dependency>"
            below = {"": (name,), LISTED: (f"{name}{LISTED}",)}.get(inner[0], (name, key))
            yield from _tables(raw, inner[1], (*path, *below))


def _row(raw: dict[str, Any], name: str, field: dict[str, Any], node: dict[str, Any]) -> str:
    kind = {**resolved(raw, field), **{k: v for k, v in field.items() if k.startswith("x-")}}
    unit = f", {field['x-unit']}" if "x-unit" in field else ""
    default = "required" if name in node.get("required", ()) else _default(field.get("default"))
    example = field.get("examples", [None])[0]
    more = f" Example: `{literal(example)}`." if example is not None else ""
    cells = (f"`{name}`", f"{_type(kind)}{unit}", default, f"{field['description']}{more}")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _type(node: dict[str, Any]) -> str:
    """Return which values are allowed, as a table cell: without the article of a sentence."""
    found = re.sub("^an? ", "", allowed(node))
    return "boolean" if found == "true or false" else found


def _default(value: Any) -> str:
    return "not set" if value is None or value in ("", [], {}) else f"`{literal(value)}`"
