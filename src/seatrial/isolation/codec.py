"""Events as JSON and back, exactly: numbers keep every digit, NaN and infinity too; what a file holds goes as base64.

What is read may come from hostile code: every field is there, none is more, and each has its type.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

import numpy as np

from seatrial.errors import IsolationError
from seatrial.events import Attachment, Case, Evaluated, Event, Finding, Measurement, NotEvaluated, Severity

T = TypeVar("T")
KINDS: Mapping[str, type] = {
    kind.__name__: kind for kind in (Measurement, Finding, Evaluated, NotEvaluated, Attachment)
}


def plain(value: Any) -> Any:
    """Return what the JSON writer does not know in a type it does; anything else becomes its text."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(k): v for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value)


def event_out(event: Event) -> dict[str, Any]:
    """Return an event as an object whose values :func:`plain` makes JSON of."""
    return {"kind": type(event).__name__} | {f.name: getattr(event, f.name) for f in fields(event)}


def event_in(told: Any) -> Event:
    """Return the event that an object read from JSON is; IsolationError says why it is none."""
    given = dict(told) if isinstance(told, dict) else {}
    kind = given.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise IsolationError(f"an event of no known kind ({_shown(kind)})")
    readers = _READERS[kind]
    if odd := set(given) ^ set(readers):
        raise IsolationError(f"{kind} with a field too many or too few: {_shown(min(odd))}")
    try:
        event: Event = KINDS[kind](**{name: read(given[name]) for name, read in readers.items()})
    except (TypeError, ValueError) as error:
        raise IsolationError(f"{kind} with a field of the wrong type") from error
    return event


def question_out(case: Case) -> list[str | None]:
    """Return a question as a pair."""
    return [case.check, case.stage]


def question_in(told: Any) -> Case:
    """Return the question that a pair read from JSON is; IsolationError where it is none."""
    if not isinstance(told, list) or len(told) != 2:
        raise IsolationError("a question that is no pair of check and stage")
    try:
        return Case(text(told[0]), optional_text(told[1]))
    except TypeError as error:
        raise IsolationError("a question of the wrong type") from error


def text(value: Any) -> str:
    """Return text as it is, anything else is a TypeError."""
    return _of(str, value)


def optional_text(value: Any) -> str | None:
    """Return text or None as it is, anything else is a TypeError."""
    return None if value is None else _of(str, value)


def truth(value: Any) -> bool:
    """Return a truth value as it is, anything else is a TypeError."""
    return _of(bool, value)


def number(value: Any) -> float:
    """Return a number as it is, anything else is a TypeError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return value


def whole(value: Any) -> int:
    """Return a whole number as it is, anything else is a TypeError."""
    return _of(int, number(value))


def mapping(value: Any) -> dict[str, Any]:
    """Return an object as it is, anything else is a TypeError."""
    return _of(dict, value)


def sequence(value: Any) -> list[Any]:
    """Return a list as it is, anything else is a TypeError."""
    return _of(list, value)


def content(value: Any) -> bytes:
    """Return the bytes that base64 text stands for; TypeError or ValueError where it is none."""
    try:
        return base64.b64decode(text(value), validate=True)
    except binascii.Error as error:
        raise ValueError from error


def _of(kind: type[T], value: Any) -> T:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _shown(value: Any) -> str:
    return repr(value)[:60]


_READ: Mapping[Any, Callable[[Any], Any]] = {
    str: text, str | None: optional_text, bool: truth, float: number, int: whole, bytes: content, Severity: Severity,
    Mapping[str, Any]: mapping,
}  # fmt: skip
_READERS = {name: {f: _READ[hint] for f, hint in get_type_hints(kind).items()} for name, kind in KINDS.items()}
