"""The bodies of two requests or two responses: media types, schemas, and the encoding of the parts of a form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.openapi.changes import Compat, ContractChange, Effect, SchemaPair
from seatrial.openapi.references import resolve
from seatrial.openapi.remainder import differ, remainder
from seatrial.openapi.schemas.compare import compare

_PLAIN = ("charset", "boundary", "q")  # parameters that say how a body is written, and not what it holds


def contents(pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    """Yield what changed in the media types of a body.

    ``application/json`` and ``application/json; charset=utf-8`` are the same, and ``*/*`` takes each of them.
    """
    was, now = _by_name(old), _by_name(new)
    request = pair.side == "request"
    if now and not was:
        yield pair.change("media-type", Compat.UNKNOWN, f"No media type was named, and it is {', '.join(now)}.")
    for media, node in was.items():
        other = media if media in now else next((m for m in now if request and _takes(m, media)), None)
        if other is None and not request:
            narrower = [m for m in now if _takes(media, m) and m not in was]
            for each in narrower:
                yield pair.change("media-type", Compat.COMPATIBLE, f"It was {media} and is {each}.")
                yield from _one(pair.step("content", each), node, now[each])
            if narrower:
                continue
        if other is None:
            yield pair.change("media-type", Compat.BREAKING, f"It is no longer {media}.")
            continue
        if other != media:
            yield pair.change("media-type", Compat.COMPATIBLE, f"It was {media} and may be {other}.")
        yield from _one(pair.step("content", other), node, now[other])
    for media in (m for m in now if m not in was and was):
        if not any(_takes(m, media) for m in was):
            yield pair.change("media-type", Compat.COMPATIBLE, f"It may be {media} too.")


def _one(pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    yield from compare(pair.step("schema"), old.get("schema", True), new.get("schema", True))
    was, now = old.get("encoding") or {}, new.get("encoding") or {}
    for name in sorted({*was, *now}, key=str):
        inner = pair.inside(str(name)).step("encoding", str(name))
        one, other = was.get(name, {}), now.get(name, {})
        if (name in was) != (name in now) and not one and not other:
            yield inner.change("encoding", Compat.COMPATIBLE, f"The part '{name}' is described as it is by default.")
        if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
            yield from remainder(pair.step("encoding"), {name: one}, {name: other}, ())
            continue
        types = [{_name(t) for t in str(e.get("contentType") or "").split(",") if t.strip()} for e in (one, other)]
        if all(types) and types[0] != types[1]:
            wider = Effect.WIDER if types[0] < types[1] else Effect.DIFFERENT
            effect = Effect.NARROWER if types[1] < types[0] else wider
            words = f"Its media type was {one['contentType']} and is {other['contentType']}."
            yield inner.change("encoding", effect, words)
        yield from remainder(inner, one, other, {"contentType"} if all(types) else ())
    yield from remainder(pair, old, new, {"schema", "encoding"})


def _by_name(body: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {_name(str(media)): node or {} for media, node in (body.get("content") or {}).items()}


def _name(media: str) -> str:
    kind, *parts = [part.strip() for part in media.split(";")]
    kept = [p for p in parts if p and p.split("=")[0].strip().lower() not in _PLAIN]
    return "; ".join([kind.lower(), *sorted(kept)])


def _takes(wide: str, media: str) -> bool:
    """Whether a media range takes a media type."""
    kind, group = media.split(";", maxsplit=1)[0], media.split("/", maxsplit=1)[0]
    return wide in ("*/*", "*", f"{group}/*", kind) and wide != media


def body(pair: SchemaPair, old: Any, new: Any) -> Iterator[ContractChange]:
    """Yield what changed in the body of a request."""
    pair = pair.step("requestBody")
    was, now = resolve(pair.before, old or {}), resolve(pair.after, new or {})
    if now.get("required") and not was.get("required"):
        yield pair.change("required", Compat.BREAKING, "A body was optional and is required.")
    if was.get("required") and new is not None and not now.get("required"):
        yield pair.change("required", Compat.COMPATIBLE, "A body was required and is optional.")
    if old is not None and new is None:
        yield pair.change("removed", Compat.BREAKING, "It takes no body any more: what callers send is not read.")
        return
    if old is None and new is not None:
        yield pair.change("added", Compat.COMPATIBLE, "It takes a body now.")
        return
    yield from contents(pair, was, now)
    yield from remainder(pair, was, now, {"required", "content"})


def linked(pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    """Yield changed links of a response: they are addresses that a reader may follow."""
    for name in sorted({*old, *new}, key=str):
        if differ(pair, old.get(name), new.get(name)):
            compat = Compat.COMPATIBLE if name not in old else Compat.UNKNOWN
            place = pair.step("links", str(name))
            yield place.change("link", compat, f"The link '{name}' changed, at {place.path}.")
