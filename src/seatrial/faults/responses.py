"""Faults on what a dependency answers over HTTP: it is there, it is fast, and it is wrong.

A fault is data. ``change`` gives the answer that the service sees instead, or None to leave it alone.
Which of the values are hit is decided by the seed and the value's own place or key, not by the order in
which answers come, so that the same rows are hit in every request and can be listed beforehand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal

from seatrial.errors import UsageError
from seatrial.faults.messages import HttpResponse

Json = Any  # whatever json.loads gives


def chosen(key: str, share: float, seed: int) -> bool:
    """Say whether ``key`` belongs to the ``share`` that is hit; the same for the same seed, everywhere."""
    return int.from_bytes(blake2b(f"{seed}/{key}".encode(), digest_size=8).digest(), "big") < share * 2**64


@dataclass(frozen=True, kw_only=True)
class AnswerFault:
    """``share`` of what the fault can hit is hit; what that is, each fault says."""

    share: float = 1.0

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, (int, float)) and not (value >= 0 and (each.name != "share" or value <= 1)):
                raise UsageError(f"{type(self).__name__}({each.name}={value!r}) is out of range.")

    def change(self, answer: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the changed answer to request ``number``, counted from 1, or None when it is not touched."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Errors(AnswerFault):
    """Answer ``share`` of the requests with ``status`` and no useful body."""

    status: int = 503

    def change(self, answer: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the error."""
        if not chosen(str(number), self.share, seed):
            return None
        del answer
        return HttpResponse(self.status, (("content-type", "text/plain"),), b"fault", "Fault")


@dataclass(frozen=True, kw_only=True)
class TooManyRequests(AnswerFault):
    """Answer ``share`` of the requests with 429 and a Retry-After of ``retry_after`` seconds."""

    retry_after: int = 1

    def change(self, answer: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the refusal."""
        if not chosen(str(number), self.share, seed):
            return None
        del answer
        return HttpResponse(429, (("retry-after", str(self.retry_after)),), b"", "Too Many Requests")


@dataclass(frozen=True, kw_only=True)
class WrongSchema(AnswerFault):
    """Give ``share`` of the fields another name (``rename``) or another type (``retype``: numbers to text...)."""

    how: Literal["rename", "retype"] = "rename"

    def change(self, answer: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the answer with its fields changed, every time the same ones."""
        del number

        def field(name: str, value: Json) -> Iterator[tuple[str, Json]]:
            if isinstance(value, (dict, list)) or not chosen(name, self.share, seed):
                yield name, value
            elif self.how == "rename":
                yield f"{name}_v2", value
            else:
                yield name, {"value": value} if isinstance(value, str) else str(value)

        return _mapped(answer, field)


@dataclass(frozen=True, kw_only=True)
class Blanks(AnswerFault):
    """Put ``blank`` in place of ``share`` of the values: null, the empty string, or not a number."""

    blank: Literal["null", "empty", "nan"] = "null"

    def change(self, answer: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the answer with values blanked; which, depends on the place of the value and its neighbours."""
        del number
        blank = {"null": None, "empty": "", "nan": math.nan}[self.blank]

        def field(name: str, value: Json) -> Iterator[tuple[str, Json]]:
            hit = not isinstance(value, (dict, list)) and chosen(f"{name}={value}", self.share, seed)
            yield name, blank if hit else value

        return _mapped(answer, field)


@dataclass(frozen=True, kw_only=True)
class MissingKeys(AnswerFault):
    """Leave out ``share`` of the entries of the object at ``inside``, such as the keys a feature store knows.

    ``inside`` is the path to it, ``"data.features"``, and the whole answer when empty. In a list of objects
    entries are left out whose ``key`` field is hit. ``chosen(key, share, seed)`` says which.
    """

    inside: str = ""
    key: str = ""

    def change(self, answer: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the answer without them."""
        del number

        def cut(value: Json) -> Json:
            if isinstance(value, dict):
                return {name: each for name, each in value.items() if not chosen(name, self.share, seed)}
            if isinstance(value, list) and self.key:
                return [each for each in value if not chosen(str(each.get(self.key)), self.share, seed)]
            return value

        return _replaced(answer, lambda whole: _at(whole, self.inside.split(".") if self.inside else [], cut))


@dataclass(frozen=True, kw_only=True)
class Stale(AnswerFault):
    """Make the answer older by ``seconds``: the timestamps in fields named ``field``, and the Age header.

    Timestamps are ISO 8601 texts or numbers of seconds since 1970; other values are left alone.
    """

    seconds: float = 86_400
    field: str = "as_of"

    def change(self, answer: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return the older answer."""
        if not chosen(str(number), self.share, seed):
            return None

        def field(name: str, value: Json) -> Iterator[tuple[str, Json]]:
            yield name, self._older(value) if name == self.field else value

        older = _mapped(answer, field)
        if older is None:
            return None
        return replace(older, headers=(*older.headers, ("age", str(int(self.seconds)))))

    def _older(self, value: Json) -> Json:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value - self.seconds
        try:
            moved = datetime.fromisoformat(value) - timedelta(seconds=self.seconds)
        except (TypeError, ValueError):
            return value
        return moved.isoformat().replace("+00:00", "Z" if value.endswith("Z") else "+00:00")


def _replaced(answer: HttpResponse, change: Callable[[Json], Json]) -> HttpResponse | None:
    if answer.header("content-encoding") not in (None, "identity"):
        return None  # not readable, so not touched, and not counted
    try:
        before = json.loads(answer.body)
    except ValueError:
        return None
    body, after = json.dumps(before), json.dumps(change(before))
    return None if after == body else replace(answer, body=after.encode())


def _mapped(answer: HttpResponse, field: Callable[[str, Json], Iterator[tuple[str, Json]]]) -> HttpResponse | None:
    def walk(value: Json) -> Json:
        if isinstance(value, dict):
            return {name: each for key, inner in value.items() for name, each in field(key, walk(inner))}
        return [walk(each) for each in value] if isinstance(value, list) else value

    return _replaced(answer, walk)


def _at(value: Json, path: list[str], change: Callable[[Json], Json]) -> Json:
    if not path:
        return change(value)
    if not isinstance(value, dict) or path[0] not in value:
        return value
    return {**value, path[0]: _at(value[path[0]], path[1:], change)}
