"""What credentials a caller must send: each way in that was open before must still be open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.openapi.changes import Compat, ContractChange, SchemaPair
from seatrial.openapi.references import UnreadableError, resolve
from seatrial.openapi.remainder import remainder

Key = tuple[str, ...]
Way = dict[Key, frozenset[str]]  # the scopes that each scheme asks for
_IDENTITY = ("type", "in", "name", "scheme")


def security(pair: SchemaPair, old: Any, new: Any) -> Iterator[ContractChange]:
    """Yield what changed in the credentials of one operation.

    Schemes are told apart by what a caller sends (kind, place, name), not by their names in the document.

    Args:
        pair: the position.
        old: the list of requirements of the first document, None where there is none.
        new: the list of requirements of the second document.
    """
    pair = pair.step("security")
    was, now = _ways(pair.before, old), _ways(pair.after, new)
    schemes = {**_schemes(pair.before, old), **_schemes(pair.after, new)}
    needed = " or ".join(_told(way, schemes) for way in now)
    if not _open(was) and not _open(now):
        lost = [way for way in was if not any(_covers(way, other) for other in now)]
        for way in lost:
            words = f"A caller could send {_told(way, schemes)}, and must send {needed} now."
            yield pair.change("security", Compat.BREAKING, words)
        if not lost and (len(was) != len(now) or any(way not in was for way in now)):
            yield pair.change("security", Compat.COMPATIBLE, f"A caller may send {needed} now.")
    elif _open(was) and not _open(now):
        words = f"No credentials were required, and a caller must send {needed} now."
        yield pair.change("security", Compat.BREAKING, words)
    elif was != now:
        yield pair.change("security", Compat.COMPATIBLE, "Credentials are not required.")
    yield from _details(pair, old, new)


def _details(pair: SchemaPair, old: Any, new: Any) -> Iterator[ContractChange]:
    """Compare what else the schemes of both say: addresses of tokens, flows, forms of tokens."""
    before, after = _schemes(pair.before, old), _schemes(pair.after, new)
    for key in (k for k in before if k in after):
        (_, scheme), (name, other) = before[key], after[key]
        inner = SchemaPair(pair.before, pair.after, pair.side, pair.operation, pair.at)
        yield from remainder(inner.step("components", "securitySchemes", name), scheme, other, _IDENTITY)


def _ways(document: Mapping[str, Any], requirements: Any) -> list[Way]:
    found = []
    for each in requirements or []:
        way = {_scheme(document, str(name))[0]: frozenset(map(str, scopes or [])) for name, scopes in each.items()}
        if way not in found:
            found.append(way)
    return found


def _schemes(document: Mapping[str, Any], requirements: Any) -> dict[Key, tuple[str, Mapping[str, Any]]]:
    out: dict[Key, tuple[str, Mapping[str, Any]]] = {}
    for name in (str(n) for each in requirements or [] for n in each):
        key, scheme = _scheme(document, name)
        out.setdefault(key, (name, scheme))
    return out


def _scheme(document: Mapping[str, Any], name: str) -> tuple[Key, Mapping[str, Any]]:
    """Return what a caller sends for a scheme, and the scheme; its name alone where it is not described."""
    try:
        found = resolve(document, (document.get("components") or {}).get("securitySchemes", {}).get(name))
    except UnreadableError:
        found = None
    if not isinstance(found, Mapping):
        return ("undescribed", name), {}
    kind, place, key, scheme = (str(found.get(word, "")) for word in _IDENTITY)
    if kind == "apiKey":
        return (kind, place, key.lower() if place == "header" else key), found
    return (kind, scheme.lower()), found


def _open(ways: list[Way]) -> bool:
    return not ways or {} in ways


def _covers(way: Way, other: Way) -> bool:
    """Whether what a caller sends for one way is enough for another."""
    return all(key in way and scopes <= way[key] for key, scopes in other.items())


def _told(way: Way, schemes: Mapping[Key, tuple[str, Mapping[str, Any]]]) -> str:
    parts = []
    for key, scopes in way.items():
        scheme = schemes[key][1]
        what = f"the API key '{scheme.get('name')}' in the {key[1]}" if key[0] == "apiKey" else " ".join(key).strip()
        parts.append(what + (f" with the scopes {', '.join(sorted(scopes))}" if scopes else ""))
    return " and ".join(parts) or "nothing"
