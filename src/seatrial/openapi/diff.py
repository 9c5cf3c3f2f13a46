"""How two OpenAPI documents differ, for those who call and those who are answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.openapi.changes import Compat, ContractChange, SchemaPair
from seatrial.openapi.document import Operation, is_openapi, operations
from seatrial.openapi.schema import UnreadableError, canonical, resolve
from seatrial.openapi.schema_diff import compare


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
    for word in ("servers", "webhooks"):
        if canonical(before.get(word)) != canonical(after.get(word)):
            words = f"'{word}' changed."
            changes.append(ContractChange(Compat.UNKNOWN, "request", "", "", word, words))
    rank = list(Compat)
    found = list(dict.fromkeys(changes))
    return sorted([c for c in found if c.compat is not Compat.COMPATIBLE], key=lambda c: rank.index(c.compat)) + [
        c for c in found if c.compat is Compat.COMPATIBLE
    ]


def _operation(
    before: Mapping[str, Any], after: Mapping[str, Any], name: str, old: Operation, new: Operation
) -> Iterator[ContractChange]:
    request, response = SchemaPair(before, after, "request", name), SchemaPair(before, after, "response", name)
    try:
        yield from _parameters(request, old, new)
        yield from _body(request, old.get("requestBody"), new.get("requestBody"))
        yield from _responses(response, old.get("responses") or {}, new.get("responses") or {})
    except (UnreadableError, AttributeError, TypeError, KeyError) as error:
        yield request.change("unreadable", Compat.UNKNOWN, f"It cannot be compared: {str(error)[:120]}.")
    guards = [canonical(o.get("security", d.get("security"))) for o, d in ((old, before), (new, after))]
    if guards[0] != guards[1]:
        open_ = [canonical(None), canonical([])]
        compat = Compat.BREAKING if guards[0] in open_ else Compat.COMPATIBLE if guards[1] in open_ else Compat.UNKNOWN
        yield request.change("security", compat, "The credentials required of a caller changed.")
    if canonical(old.get("callbacks")) != canonical(new.get("callbacks")):
        yield response.change("callbacks", Compat.UNKNOWN, "Its callbacks changed.")


def _parameters(pair: SchemaPair, old: Operation, new: Operation) -> Iterator[ContractChange]:
    was, now = _keyed(pair.before, old), _keyed(pair.after, new)
    for key, parameter in was.items():
        inner = pair.inside(key)
        if key not in now:
            yield inner.change("removed", Compat.UNKNOWN, f"The parameter {key} is gone; a caller may still send it.")
            continue
        if bool(now[key].get("required")) and not parameter.get("required"):
            yield inner.change("required", Compat.BREAKING, f"The parameter {key} was optional and is required.")
        if parameter.get("required") and not now[key].get("required"):
            yield inner.change("required", Compat.COMPATIBLE, f"The parameter {key} was required and is optional.")
        yield from compare(inner, parameter.get("schema", True), now[key].get("schema", True))
    for key, parameter in now.items():
        if key not in was:
            compat = Compat.BREAKING if parameter.get("required") else Compat.COMPATIBLE
            yield pair.inside(key).change("added", compat, f"The parameter {key} is new.")


def _keyed(document: Mapping[str, Any], operation: Operation) -> dict[str, Mapping[str, Any]]:
    """Return parameters by place and name; those of the path by position, since their names are nobody's business."""
    found = {}
    for node in operation["parameters"]:
        parameter = resolve(document, node)
        place, name = str(parameter["in"]), str(parameter["name"])
        if place == "path" and name in operation["path parameters"]:
            name = str(operation["path parameters"].index(name))
        found[f"{place}:{name.lower() if place == 'header' else name}"] = parameter
    return found


def _body(pair: SchemaPair, old: Any, new: Any) -> Iterator[ContractChange]:
    was, now = resolve(pair.before, old or {}), resolve(pair.after, new or {})
    if now.get("required") and not was.get("required"):
        yield pair.change("required", Compat.BREAKING, "A body was optional and is required.")
    if old is not None and new is None:
        yield pair.change("removed", Compat.UNKNOWN, "It takes no body any more; a caller may still send one.")
        return
    yield from _contents(pair, was, now)


def _contents(pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    was, now = old.get("content", {}), new.get("content", {})
    for media in was:
        if media not in now:
            yield pair.change("media-type", Compat.BREAKING, f"It is no longer {media}.")
        else:
            yield from compare(pair, was[media].get("schema", True), now[media].get("schema", True))
    for media in (m for m in now if m not in was and was):
        yield pair.change("media-type", Compat.COMPATIBLE, f"It may be {media} too.")


def _responses(pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    was, now = ({str(k).upper(): v for k, v in side.items()} for side in (old, new))
    come = [status for status in now if status not in was]
    for status, node in was.items():
        there = next((s for s in (status, f"{status[:1]}XX", "DEFAULT") if s in now), None)
        if there is None:
            others = [s for s in come if s[:1] == status[:1]]
            gone = Compat.BREAKING if status.startswith("2") or others else Compat.UNKNOWN
            words = f"It no longer answers {status}" + (f", and answers {', '.join(others)}." if others else ".")
            yield pair.change("status", gone, words)
            continue
        inner = SchemaPair(pair.before, pair.after, pair.side, f"{pair.operation} {status}")
        old_response, new_response = resolve(pair.before, node), resolve(pair.after, now[there])
        if old_response.get("content") and not new_response.get("content"):
            yield inner.change("media-type", Compat.BREAKING, "It answers no body any more.")
        else:
            yield from _contents(inner, old_response, new_response)
        for header in (h for h in old_response.get("headers", {}) if h not in new_response.get("headers", {})):
            yield inner.change("header", Compat.UNKNOWN, f"The header '{header}' is gone.")
    for status in come:
        fine = Compat.UNKNOWN if status.startswith(("2", "3", "D")) else Compat.COMPATIBLE
        yield pair.change("status", fine, f"It may answer {status} now.")
