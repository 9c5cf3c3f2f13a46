"""The fixed probes of JSON records: requests that services receive sooner or later, each with the correct response.

Every probe changes one thing in a request that the service answers. The texts are written here and not by a JSON
library, because no JSON library writes NaN, ``1e999`` or lone surrogates.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from seatrial.io import frame_json
from seatrial.targets.probes.base import DeclaredFields, Expect, Field, Probe, ProbePlan
from seatrial.targets.probes.paths import changed, learned, parsed, value_at, without

MAX_VALID = 6  # requests of the reference that are sent unchanged
SEARCHED = 200  # requests of the reference among which they are chosen
DEEP = 20_000  # nested brackets
DIGITS = 5_000  # of an integer, more than Python parses by default
BEYOND = 2**53 + 1
UNKNOWN_FIELD = "seatrial_unknown_field"
_MARK = "\ue000seatrial\ue000"


@dataclass(frozen=True)
class Envelope:
    """The text before and after the record in the body of a request.

    Example:
        >>> Envelope('{"inputs": [', "]}").body("{}")
        b'{"inputs": [{}]}'
    """

    before: str = ""
    after: str = ""

    def body(self, text: str) -> bytes:
        """Return the body that contains one record, given as JSON text."""
        return f"{self.before}{text}{self.after}".encode("utf-8", "surrogatepass")


def plan_of_records(path: str, requests: pd.DataFrame, envelope: Envelope) -> ProbePlan:
    """Return the probe plan of a protocol whose requests are JSON records.

    With an envelope, the model's signature declares the fields of a record; without one, the service's OpenAPI does.
    """
    recorded = parsed(frame_json.payloads(requests.iloc[:SEARCHED]))
    records = varied(recorded)
    return ProbePlan(
        path,
        valid=[envelope.body(json.dumps(record)) for record in records],
        probes=lambda at, declared: probes(records[at], declared, envelope),
        records=records,
        declared_by="signature" if envelope.before else "openapi",
        learned=learned(recorded),
    )


def varied(records: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return at most ``MAX_VALID`` records, each with other fields set, the one with most fields first."""
    shapes: dict[Any, dict[str, Any]] = {}
    for record in records:
        shapes.setdefault(tuple(sorted(k for k, v in record.items() if v is not None)), record)
    found = sorted(shapes.values(), key=lambda r: -sum(v is not None for v in r.values()))
    return found[:MAX_VALID]


def probes(record: Mapping[str, Any], declared: DeclaredFields, envelope: Envelope) -> Iterator[Probe]:
    """Yield the probes made from a request: for each field, for an unknown field, and for the body as a whole."""
    plain = json.dumps(record)
    for name in dict.fromkeys([*declared.fields, *record]):
        known = declared.fields.get(name, Field(name, required=None))
        if known.steps[:-1] and not isinstance(value_at(record, known.steps[:-1]), dict | list):
            continue  # this request lacks the object that holds it
        unread = tuple(envelope.body(json.dumps(each)) for each in _without_its_value(record, known))
        for cause, description, text, expect, other in _of_field(record, known):
            equivalent = envelope.body(json.dumps(other)) if other is not None else None
            yield Probe(cause, description, envelope.body(text), expect, name, equivalent, text=text, unread=unread)
    unknown = Expect.EITHER if declared.additional else Expect.REFUSE
    extended = json.dumps({**record, UNKNOWN_FIELD: 1})
    yield Probe(
        "unknown-field", f"the unknown field '{UNKNOWN_FIELD}'", envelope.body(extended), unknown, None,
        envelope.body(plain), text=extended,
    )  # fmt: skip
    for known in declared.fields.values():
        yield from _misspelt(record, known, declared, unknown, envelope)
    yield from _of_body(plain, envelope)


def _without_its_value(record: Mapping[str, Any], known: Field) -> list[Any]:
    """Return the record without a field, and with another value in it; none where either cannot be made."""
    value = value_at(record, known.steps)
    if not isinstance(known.steps[-1], str) or not isinstance(value, str | int | float):
        return []
    other = not value if isinstance(value, bool) else f"{value}-x" if isinstance(value, str) else 2 * value + 1
    return [without(record, known.steps), changed(record, known.steps, other)]


def _misspelt(
    record: Mapping[str, Any], known: Field, declared: DeclaredFields, unknown: Expect, envelope: Envelope
) -> Iterator[Probe]:
    *before, last = known.steps
    holder = value_at(record, tuple(before))
    if known.required is not False or not isinstance(last, str) or not isinstance(holder, Mapping):
        return
    beside = [str(f.steps[-1]) for f in declared.fields.values() if f.steps[:-1] == tuple(before)]
    if wrong := misspelt(last, [*beside, *holder]):
        less = without(record, known.steps)
        text = json.dumps(changed(less, (*before, wrong), holder.get(last)))
        yield Probe(
            "unknown-field", f"the misspelt field '{wrong}' in place of '{last}'", envelope.body(text), unknown,
            known.name, envelope.body(json.dumps(less)), text=text,
        )  # fmt: skip


def misspelt(name: str, known: list[str]) -> str:
    """Return the name with two letters swapped, or an empty string where every swap gives a known name.

    Example:
        >>> misspelt("income", ["income"])
        'incoem'
    """
    for at in range(len(name) - 2, 0, -1):
        wrong = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
        if wrong not in known:
            return wrong
    return ""


def _of_field(
    record: Mapping[str, Any], known: Field
) -> Iterator[tuple[str, str, str, Expect, Mapping[str, Any] | None]]:
    """Yield (cause, description, text of the record, expectation, equivalent record) for one field."""
    value, types = value_at(record, known.steps), known.types

    def sent(raw: str) -> str:
        return json.dumps(changed(record, known.steps, _MARK)).replace(json.dumps(_MARK), raw)

    def read_as(other: Any) -> Mapping[str, Any]:
        return cast(Mapping[str, Any], changed(record, known.steps, other))

    number = bool(types & {"integer", "number"})
    whole = "integer" in types and "number" not in types
    if number:
        plain = value if isinstance(value, int | float) and not isinstance(value, bool) else 41
        if "string" not in types:
            as_text = sent(f'"{plain}"')
            yield "dtype-coercion", "the number sent as text", as_text, Expect.REFUSE, read_as(plain)
        if "boolean" not in types:
            yield "dtype-coercion", "true in place of a number", sent("true"), Expect.REFUSE, read_as(1)
        yield "not-a-number", "NaN, which is not JSON", sent("NaN"), Expect.REFUSE, None
        yield "not-a-number", "Infinity, which is not JSON", sent("Infinity"), Expect.REFUSE, None
        yield "not-a-number", "1e999, which no double can hold", sent("1e999"), Expect.REFUSE, None
    if whole:
        near = plain if isinstance(plain, int) and abs(plain) < 2**52 else 1
        yield "truncation", "a fraction in place of an integer", sent(f"{near}.5"), Expect.REFUSE, read_as(near)
        yield "json-integer", "an integer beyond 2^53", sent(str(BEYOND)), Expect.EITHER, None
    if "boolean" in types and not number:
        yield "dtype-coercion", "1 in place of true", sent("1"), Expect.REFUSE, read_as(True)
        if "string" not in types:
            yield "dtype-coercion", 'the text "true" in place of true', sent('"true"'), Expect.REFUSE, read_as(True)
    if types == {"string"}:
        yield "dtype-coercion", "a number in place of text", sent("41"), Expect.REFUSE, read_as("41")
    if types and not types & {"array", "object"}:
        as_list = sent(f"[{json.dumps(value)}]")
        yield "first-value", "a list in place of one value", as_list, Expect.REFUSE, read_as(value)
    if "string" in types or isinstance(value, str):
        yield "text", "text with a NUL character", sent('"a\\u0000b"'), Expect.EITHER, None
        yield "text", "text with a lone surrogate", sent('"a\\ud800b"'), Expect.EITHER, None
    may = Expect.EITHER if known.nullable is None else Expect.ACCEPT if known.nullable else Expect.REFUSE
    yield "null", "null", sent("null"), may, None
    if isinstance(known.steps[-1], str):
        less = json.dumps(without(record, known.steps))
        absent = {True: Expect.REFUSE, False: Expect.ACCEPT if types else Expect.EITHER, None: Expect.EITHER}
        yield "missing", "a request without the field", less, absent[known.required], None


def _of_body(plain: str, envelope: Envelope) -> Iterator[Probe]:
    """Yield bodies that are not a valid request."""
    deep = "[" * DEEP + "]" * DEEP
    whole = envelope.body(plain)
    for description, body in (
        ("an empty body", b""),
        ("null in place of a request", b"null"),
        ("text in place of a request", b'"text"'),
        ("an empty list in place of a request", b"[]"),
        ("half a request", whole[: max(1, len(whole) // 2)]),
        ("two requests in one body", whole + whole),
        ("a body that is not UTF-8", whole[:-1] + b', "\xff\xfe": 1}'),
        (f"lists nested {DEEP:,} deep", envelope.body(deep)),
        (f"an integer of {DIGITS:,} digits", envelope.body("9" * DIGITS)),
    ):
        yield Probe("malformed", description, body)
    yield Probe("content-type", "JSON declared as text/plain", whole, content_type="text/plain")
    yield Probe("malformed", "a form in place of JSON", b"a=1&b=2", content_type="application/x-www-form-urlencoded")
