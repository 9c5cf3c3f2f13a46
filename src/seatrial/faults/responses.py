"""Faults on the HTTP responses of a dependency: it is reachable, it is fast, and it is wrong.

A fault is data. ``change`` returns the response that the service gets instead, or None to leave it as it is. Which
values are hit is decided by the seed and the value's own place or key, not by the order in which responses come, so
that the same rows are hit in every request and can be listed beforehand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import Any, Literal

from seatrial.errors import UsageError
from seatrial.faults.messages import HttpResponse

Json = Any  # what json.loads returns


def chosen(key: str, share: float, seed: int) -> bool:
    """Return whether ``key`` belongs to the ``share`` that is hit; the same for the same seed on every machine.

    Example:
        >>> chosen("t-17", 1.0, seed=7), chosen("t-17", 0.0, seed=7)
        (True, False)
    """
    return int.from_bytes(blake2b(f"{seed}/{key}".encode(), digest_size=8).digest(), "big") < share * 2**64


@dataclass(frozen=True, kw_only=True)
class ResponseFault:
    """The base of every fault of a response. Numbers among its attributes are 0 or more.

    Attributes:
        share: how much of what the fault can hit is hit, from 0 to 1.

    Raises:
        UsageError: an attribute out of its range.

    Example:
        >>> @dataclass(frozen=True, kw_only=True)
        ... class Empty(ResponseFault):
        ...     def change(self, response, seed, number):
        ...         return replace(response, body=b"") if chosen(str(number), self.share, seed) else None
    """

    share: float = 1.0

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, (int, float)) and not (value >= 0 and (each.name != "share" or value <= 1)):
                allowed = "a share from 0 to 1" if each.name == "share" else "a number of at least 0"
                raise UsageError(f"{type(self).__name__}({each.name}={value!r}) is out of range. Allowed: {allowed}.")

    def change(self, response: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the changed response, or None where the fault does not hit it.

        Args:
            response: of the dependency.
            seed: of the proxy; for :func:`chosen`.
            number: of the request, counted from 1.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Errors(ResponseFault):
    """Respond to ``share`` of the requests with ``status`` and no useful body."""

    status: int = 503

    def change(self, response: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the error response."""
        if not chosen(str(number), self.share, seed):
            return None
        del response
        return HttpResponse(self.status, (("content-type", "text/plain"),), b"fault", "Fault")


@dataclass(frozen=True, kw_only=True)
class TooManyRequests(ResponseFault):
    """Respond to ``share`` of the requests with 429 and a Retry-After of ``retry_after`` seconds."""

    retry_after: int = 1

    def change(self, response: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the 429 response."""
        if not chosen(str(number), self.share, seed):
            return None
        del response
        return HttpResponse(429, (("retry-after", str(self.retry_after)),), b"", "Too Many Requests")


@dataclass(frozen=True, kw_only=True)
class WrongSchema(ResponseFault):
    """Give ``share`` of the fields another name or another type.

    Attributes:
        how: ``rename`` appends ``_v2`` to the name; ``retype`` turns a text into an object, and any other value into
            text.
    """

    how: Literal["rename", "retype"] = "rename"

    def change(self, response: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the response with its fields changed, the same ones each time."""
        del number

        def field(name: str, value: Json) -> Iterator[tuple[str, Json]]:
            if isinstance(value, (dict, list)) or not chosen(name, self.share, seed):
                yield name, value
            elif self.how == "rename":
                yield f"{name}_v2", value
            else:
                yield name, {"value": value} if isinstance(value, str) else str(value)

        return _mapped(response, field)


@dataclass(frozen=True, kw_only=True)
class Blanks(ResponseFault):
    """Put ``blank`` in place of ``share`` of the values: null, the empty string, or NaN."""

    blank: Literal["null", "empty", "nan"] = "null"

    def change(self, response: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the response with blank values; which ones depends on a value's field and the value itself."""
        del number
        blank = {"null": None, "empty": "", "nan": math.nan}[self.blank]

        def field(name: str, value: Json) -> Iterator[tuple[str, Json]]:
            hit = not isinstance(value, (dict, list)) and chosen(f"{name}={value}", self.share, seed)
            yield name, blank if hit else value

        return _mapped(response, field)


@dataclass(frozen=True, kw_only=True)
class MissingKeys(ResponseFault):
    """Remove ``share`` of the entries of an object or a list, such as keys of a feature store.

    :func:`chosen` decides on each entry, by its key.

    Attributes:
        inside: the path to it, such as ``"data.features"``; the whole body where it is empty.
        key: in a list of objects, the field by which entries are chosen.
    """

    inside: str = ""
    key: str = ""

    def change(self, response: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the response without these entries."""
        del number

        def cut(value: Json) -> Json:
            if isinstance(value, dict):
                return {name: each for name, each in value.items() if not chosen(name, self.share, seed)}
            if isinstance(value, list) and self.key:
                return [each for each in value if not chosen(str(each.get(self.key)), self.share, seed)]
            return value

        return _replaced(response, lambda whole: _at(whole, self.inside.split(".") if self.inside else [], cut))


def _replaced(response: HttpResponse, change: Callable[[Json], Json]) -> HttpResponse | None:
    if response.header("content-encoding") not in (None, "identity"):
        return None  # it cannot be read, so it is not changed, and not counted
    try:
        before = json.loads(response.body)
    except ValueError:
        return None
    body, after = json.dumps(before), json.dumps(change(before))
    return None if after == body else replace(response, body=after.encode())


def _mapped(response: HttpResponse, field: Callable[[str, Json], Iterator[tuple[str, Json]]]) -> HttpResponse | None:
    def walk(value: Json) -> Json:
        if isinstance(value, dict):
            return {name: each for key, inner in value.items() for name, each in field(key, walk(inner))}
        return [walk(each) for each in value] if isinstance(value, list) else value

    return _replaced(response, walk)


def _at(value: Json, path: list[str], change: Callable[[Json], Json]) -> Json:
    if not path:
        return change(value)
    if not isinstance(value, dict) or path[0] not in value:
        return value
    return {**value, path[0]: _at(value[path[0]], path[1:], change)}
