"""Events without the secrets with which a service was asked, wherever in them a service may have put one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

HIDDEN = "***"
T = TypeVar("T")


def redacted(event: T, forms: Sequence[str]) -> T:
    """Return an event whose texts, names and files hold none of the forms in which secrets are written.

    Example:
        >>> from seatrial.events import NotEvaluated
        >>> told = NotEvaluated("golden", "service", "It said: no such key s3cret-7f.")
        >>> redacted(told, ["s3cret-7f"]).reason
        'It said: no such key ***.'
    """
    result: T = _without(event, [(form, form.encode("utf-8", "surrogatepass")) for form in forms])
    return result


def _without(value: Any, forms: list[tuple[str, bytes]]) -> Any:
    if isinstance(value, str) and type(value) is str:
        for text, _ in forms:
            value = value.replace(text, HIDDEN)
    elif isinstance(value, bytes):
        for _, octets in forms:
            value = value.replace(octets, HIDDEN.encode())
    elif isinstance(value, Mapping):
        return {_without(k, forms): _without(v, forms) for k, v in value.items()}
    elif isinstance(value, list | tuple):
        return type(value)(_without(each, forms) for each in value)
    elif is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _without(getattr(value, f.name), forms) for f in fields(value) if f.init})
    return value
