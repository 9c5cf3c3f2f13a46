"""The parameters of two operations, and the headers of two responses: named values written as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from seatrial.openapi.changes import Compat, ContractChange, Effect, SchemaPair
from seatrial.openapi.document import Operation
from seatrial.openapi.media import contents
from seatrial.openapi.references import UnreadableError, resolve
from seatrial.openapi.remainder import remainder
from seatrial.openapi.schemas.alternatives import ANY, alternatives
from seatrial.openapi.schemas.compare import compare

_STYLES = {"query": "form", "cookie": "form", "path": "simple", "header": "simple"}
_JUDGED = frozenset({"name", "in", "required", "schema", "content", "style", "explode", "allowEmptyValue"})
_IGNORED = frozenset({"accept", "content-type", "authorization"})  # by OpenAPI, such header parameters mean nothing


def parameters(pair: SchemaPair, old: Operation, new: Operation) -> Iterator[ContractChange]:
    """Yield what changed in the parameters of an operation."""
    was, now = _keyed(pair.before, old), _keyed(pair.after, new)
    for key, parameter in was.items():
        inner = pair.inside(key).step("parameters", key)
        if key not in now:
            yield inner.change("removed", Compat.UNKNOWN, f"The parameter {key} is gone; a caller may still send it.")
            continue
        if bool(now[key].get("required")) and not parameter.get("required"):
            yield inner.change("required", Compat.BREAKING, f"The parameter {key} was optional and is required.")
        if parameter.get("required") and not now[key].get("required"):
            yield inner.change("required", Compat.COMPATIBLE, f"The parameter {key} was required and is optional.")
        inner = replace(inner, omittable=not parameter.get("required"))
        yield from _one(inner, parameter, now[key], str(parameter.get("in")))
    for key, parameter in now.items():
        if key not in was:
            compat = Compat.BREAKING if parameter.get("required") else Compat.COMPATIBLE
            yield pair.inside(key).step("parameters", key).change("added", compat, f"The parameter {key} is new.")


def headers(pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    """Yield what changed in the headers of a response; the case of their names is nobody's business."""
    was = {str(k).lower(): resolve(pair.before, v) for k, v in (old or {}).items()}
    now = {str(k).lower(): resolve(pair.after, v) for k, v in (new or {}).items()}
    for name, header in was.items():
        inner = pair.inside(f"header:{name}").step("headers", name)
        if name == "content-type":
            continue
        if name not in now:
            compat = Compat.BREAKING if header.get("required") else Compat.UNKNOWN
            yield inner.change("header", compat, f"The header '{name}' is gone.")
            continue
        if header.get("required") and not now[name].get("required"):
            yield inner.change("header", Compat.BREAKING, f"The header '{name}' always came and is optional.")
        if now[name].get("required") and not header.get("required"):
            yield inner.change("header", Compat.COMPATIBLE, f"The header '{name}' was optional and always comes.")
        yield from _one(inner, header, now[name], "header")
    for name in (n for n in now if n not in was and n != "content-type"):
        inner = pair.inside(f"header:{name}").step("headers", name)
        yield inner.change("header", Compat.COMPATIBLE, f"The header '{name}' is new.")


def _one(pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> Iterator[ContractChange]:
    if ("content" in old) != ("content" in new):
        words = f"It was written {'as a document' if 'content' in old else 'by its style'} and is not any more."
        yield pair.change("style", Compat.BREAKING, words)
    elif "content" in old:
        yield from contents(pair, old, new)
    else:
        yield from compare(pair.step("schema"), old.get("schema", True), new.get("schema", True))
        yield from _style(pair, old, new, place)
    if bool(old.get("allowEmptyValue")) != bool(new.get("allowEmptyValue")):
        effect = Effect.WIDER if new.get("allowEmptyValue") else Effect.NARROWER
        words = f"An empty value is {'allowed' if new.get('allowEmptyValue') else 'refused'} now."
        yield pair.change("empty", effect, words)
    flags = ["required"] if any(isinstance(each.get("required"), list) for each in (old, new)) else []
    yield from remainder(pair, old, new, _JUDGED.difference(flags))


def _style(pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> Iterator[ContractChange]:
    """Compare how lists and objects are written; with single values, ``explode`` writes nothing otherwise."""
    styles = [str(each.get("style") or _STYLES.get(place, "")) for each in (old, new)]
    exploded = [bool(each.get("explode", style == "form")) for each, style in zip((old, new), styles, strict=True)]
    written = [f"{style}{' exploded' if each else ''}" for style, each in zip(styles, exploded, strict=True)]
    if written[0] == written[1]:
        return
    compat = _means(pair, old, new) if styles[0] == styles[1] or set(styles) <= {"form", "simple"} else Compat.BREAKING
    yield pair.change("style", compat, f"It was written in the style {written[0]} and is in {written[1]}.")


def _means(pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Compat:
    try:
        found = [
            *alternatives(pair.before, old.get("schema", True)),
            *alternatives(pair.after, new.get("schema", True)),
        ]
    except UnreadableError:
        return Compat.UNKNOWN
    kinds = {each["type"] for each in found}
    if kinds & {"array", "object"}:
        return Compat.BREAKING
    return Compat.UNKNOWN if ANY in kinds else Compat.COMPATIBLE


def _keyed(document: Mapping[str, Any], operation: Operation) -> dict[str, Mapping[str, Any]]:
    """Return parameters by place and name; those of the path by position, since their names are nobody's business."""
    found = {}
    if not isinstance(operation["parameters"], list):
        raise UnreadableError("its parameters are no list")
    for node in operation["parameters"]:
        parameter = resolve(document, node)
        place, name = str(parameter["in"]), str(parameter["name"])
        if place == "header" and name.lower() in _IGNORED:
            continue
        if place == "path" and name in operation["path parameters"]:
            name = str(operation["path parameters"].index(name))
        found[f"{place}:{name.lower() if place == 'header' else name}"] = parameter
    return found
