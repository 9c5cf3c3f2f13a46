"""How two OpenAPI documents differ, for those who call and those who are answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from seatrial.openapi.changes import Compat, ContractChange, SchemaPair
from seatrial.openapi.document import METHODS, Operation, bare_path, is_openapi, operations
from seatrial.openapi.media import body, contents, linked
from seatrial.openapi.parameters import headers, parameters
from seatrial.openapi.references import UnreadableError, closure, resolve
from seatrial.openapi.remainder import differ, remainder
from seatrial.openapi.security import security
from seatrial.openapi.silent import is_silent, same

_JUDGED = frozenset({"parameters", "requestBody", "responses", "security", "path", "path parameters"})


def openapi_diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ContractChange]:
    """Return every change from one document to the other, the breaking ones first.

    Requests and responses are classed by themselves: a field that becomes optional widens what is accepted, which
    breaks nobody, and thins what is answered, which does. What cannot be decided is unknown, never compatible.
    """
    for document, name in ((before, "before"), (after, "after")):
        if not is_openapi(document):
            words = f"The document of {name} is no OpenAPI 3 document; nothing of it was compared."
            return [ContractChange(Compat.UNKNOWN, "request", "", "", "unreadable", words)]
    old, new = operations(before), operations(after)
    changes = []
    for name in old:
        if name not in new:
            changes.append(ContractChange(Compat.BREAKING, "request", name, "", "route", f"{name} is gone."))
        else:
            changes += _operation(before, after, name, old[name], new[name])
    for name in new:
        if name not in old:
            changes.append(ContractChange(Compat.COMPATIBLE, "request", name, "", "route", f"{name} is new."))
    changes += _around(before, after)
    rank = list(Compat)
    return sorted(dict.fromkeys(changes), key=lambda c: rank.index(c.compat))


def _operation(
    before: Mapping[str, Any], after: Mapping[str, Any], name: str, old: Operation, new: Operation
) -> Iterator[ContractChange]:
    way = ("paths", str(new["path"]), name.split(maxsplit=1)[0].lower())
    request = SchemaPair(before, after, "request", name).step(*way)
    response = SchemaPair(before, after, "response", name).step(*way)
    parts: list[tuple[SchemaPair, Iterator[ContractChange]]] = [
        (request, parameters(request, old, new)),
        (request, body(request, old.get("requestBody"), new.get("requestBody"))),
        (response, _responses(response, old.get("responses") or {}, new.get("responses") or {})),
        (request, security(request, old.get("security", before.get("security")),
                           new.get("security", after.get("security")))),
        (request, remainder(request, old, new, _JUDGED)),
    ]  # fmt: skip
    for pair, changes in parts:
        try:
            yield from changes
        except (UnreadableError, AttributeError, TypeError, KeyError, ValueError) as error:
            yield pair.change("unreadable", Compat.UNKNOWN, f"It cannot be compared: {str(error)[:120]}.")


def _responses(pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    was, now = ({str(k).upper(): v for k, v in side.items() if not is_silent(str(k))} for side in (old, new))
    come = [status for status in now if status not in was]
    for status, node in was.items():
        there = _covering(status, now)
        if there is None:
            others = [s for s in come if s[:1] == status[:1]]
            gone = Compat.BREAKING if status.startswith("2") or others else Compat.UNKNOWN
            words = f"It no longer answers {status}" + (f", and answers {', '.join(others)}." if others else ".")
            yield pair.step("responses", status).change("status", gone, words)
            continue
        yield from _response(pair, status, node, now[there])
    for status in come:
        covered = _covering(status, was)
        if covered is not None:
            yield from _response(pair, status, was[covered], now[status])
        fine = Compat.UNKNOWN if status.startswith(("2", "3", "D")) and covered is None else Compat.COMPATIBLE
        yield pair.step("responses", status).change("status", fine, f"It may answer {status} now.")


def _covering(status: str, answers: Mapping[str, Any]) -> str | None:
    return next((s for s in (status, f"{status[:1]}XX", "DEFAULT") if s in answers), None)


def _response(pair: SchemaPair, status: str, old: Any, new: Any) -> Iterator[ContractChange]:
    inner = replace(pair, operation=f"{pair.operation} {status}").step("responses", status)
    was, now = resolve(pair.before, old), resolve(pair.after, new)
    if was.get("content") and not now.get("content"):
        yield inner.change("media-type", Compat.BREAKING, "It answers no body any more.")
    elif now.get("content") and not was.get("content"):
        yield inner.change("media-type", Compat.COMPATIBLE, "It answers a body now.")
    else:
        yield from contents(inner, was, now)
    yield from headers(inner, was.get("headers") or {}, now.get("headers") or {})
    yield from linked(inner, was.get("links") or {}, now.get("links") or {})
    yield from remainder(inner, was, now, {"content", "headers", "links"})


def _around(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[ContractChange]:
    """Yield what changed outside the operations: path items, webhooks, parts that nothing refers to, the rest."""
    pair = SchemaPair(before, after, "request", "")
    paths = pair.step("paths")
    old, new = ({bare_path(str(k)): v for k, v in d["paths"].items() if not is_silent(str(k))} for d in (before, after))
    for path, node in old.items():
        if path not in new:
            continue  # each of its operations is told as gone
        try:
            was, now = resolve(before, node), resolve(after, new[path])
            yield from remainder(paths.step(path), was, now, {*METHODS, "parameters", "$ref"})
        except (UnreadableError, AttributeError, TypeError) as error:
            if differ(pair, node, new[path]) or "another document" in str(error):
                yield paths.step(path).change("unreadable", Compat.UNKNOWN, f"{path} cannot be compared: {error}.")
    for path in (p for p in {**old, **new} if (p in old) != (p in new)):
        document, items = (before, old) if path in old else (after, new)
        if not any(name.endswith(f" {path}") for name in operations(document)):
            compat = Compat.COMPATIBLE if items[path] == {} else Compat.UNKNOWN
            yield paths.step(path).change("unreadable", compat, f"{path} has no operation that can be read.")
    hooks, others = before.get("webhooks") or {}, after.get("webhooks") or {}
    for name in sorted({*hooks, *others}, key=str):
        place = pair.step("webhooks", str(name))
        if name not in others:
            yield place.change("webhook", Compat.BREAKING, f"The webhook '{name}' is gone.")
        elif name not in hooks:
            yield place.change("webhook", Compat.COMPATIBLE, f"The webhook '{name}' is new.")
        elif differ(pair, hooks[name], others[name]):
            yield place.change("webhook", Compat.UNKNOWN, f"The webhook '{name}' changed, at {place.path}.")
    yield from _unused(pair)
    if before.get("openapi") != after.get("openapi"):
        words = f"The document is of OpenAPI {after.get('openapi')} and was of {before.get('openapi')}."
        yield pair.step("openapi").change("version", Compat.COMPATIBLE, words)
    yield from remainder(pair, before, after, {"openapi", "info", "paths", "components", "security", "webhooks"})


def _unused(pair: SchemaPair) -> Iterator[ContractChange]:
    """Yield as compatible the changed components that no operation refers to; others are told where they are used."""
    texts = [_used(d) for d in (pair.before, pair.after)]
    old, new = (d.get("components") or {} for d in (pair.before, pair.after))
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return  # told as malformed
    for section in sorted({*old, *new}, key=str):
        was, now = old.get(section, {}), new.get(section, {})
        if is_silent(str(section)):
            continue
        if not (isinstance(was, Mapping) and isinstance(now, Mapping)):
            yield from remainder(pair.step("components"), {section: was}, {section: now}, ())
            continue
        for name in sorted({*was, *now}, key=str):
            word = f'"{name}"' if section == "securitySchemes" else f'"#/components/{section}/{name}"'
            used = any(word in text for text in texts)
            if not used and not same([was[name]] if name in was else [], [now[name]] if name in now else []):
                place = pair.step("components", str(section), str(name))
                words = f"'{name}' changed, which no operation refers to."
                yield place.change("unused", Compat.COMPATIBLE, words)


def _used(document: Mapping[str, Any]) -> str:
    kept = {k: v for k, v in document.items() if k != "components"}
    return closure(document, kept)
