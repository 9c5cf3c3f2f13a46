"""Events as JSON and back, exactly: numbers keep every digit, NaN and infinity too; a file's content travels as base64.

What is read may come from hostile code, so pydantic reads it strictly: every field is there, none is more, and each
has its type.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, get_type_hints

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from seatrial.events import Attachment, Evaluated, Event, Finding, Measurement, NotEvaluated, Severity

SHOWN = 200  # characters of a reason that may quote hostile code


class Strict(BaseModel):
    """A record whose fields are all there, of their types, and no more; its text is shown in no error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError("it is not base64 text")  # noqa: TRY004  pydantic takes ValueError for a wrong value
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64 text") from error


KINDS: Mapping[str, type] = {
    kind.__name__: kind for kind in (Measurement, Finding, Evaluated, NotEvaluated, Attachment)
}
_FIELDS: Mapping[Any, Any] = {  # where the type of an event's field is not the one that JSON gives
    float: int | float,  # an integer stays one
    bytes: Annotated[bytes, BeforeValidator(_bytes)],
    Severity: Annotated[Severity, Field(strict=False)],
    Mapping[str, Any]: dict[str, Any],
}


def _record_of(kind: type) -> type[Strict]:
    """Return the record of one kind of event: the fields of its dataclass, all of them required."""
    hints: dict[str, Any] = {name: (_FIELDS.get(hint, hint), ...) for name, hint in get_type_hints(kind).items()}
    return create_model(kind.__name__, __base__=Strict, **hints)


_RECORDS = {name: _record_of(kind) for name, kind in KINDS.items()}


def read_event(value: Any) -> Event:
    """Return the event that a value read from JSON holds; ValueError says why it holds none.

    Example:
        >>> read_event({"kind": "NotEvaluated", "check": "golden", "stage": None, "reason": "why", "crashed": False})
        NotEvaluated(check='golden', stage=None, reason='why', crashed=False)
    """
    values = dict(value) if isinstance(value, dict) else {}
    name = values.pop("kind", None)
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"an event of no known kind ({name!r:.60})")
    try:
        record = _RECORDS[name].model_validate(values)
    except ValidationError as error:
        raise ValueError(f"{name}: {first_problem(error)}") from error
    event: Event = KINDS[name](**{f.name: getattr(record, f.name) for f in fields(KINDS[name])})
    return event


def event_record(event: Event) -> dict[str, Any]:
    """Return an event as an object of its values; :func:`plain` makes JSON of those."""
    return {"kind": type(event).__name__} | {f.name: getattr(event, f.name) for f in fields(event)}


def plain(value: Any) -> Any:
    """Return what the JSON writer does not know in a type that it does; anything else becomes its text."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(k): v for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value)


def first_problem(error: ValidationError) -> str:
    """Return what is wrong with the first wrong field, and nothing of its value."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))[:SHOWN]
    return f"field '{place}': {first['msg'][:SHOWN]}" if place else first["msg"][:SHOWN]
