"""The fixed probes: requests that services get sooner or later, each with what a sound service does with it.

Every probe changes one thing of a request that is known to be answered. Texts are made here and not by a JSON
library on the way: NaN, ``1e999`` and lone surrogates are not what such a library writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from seatrial.io import frame_json
from seatrial.targets.probes.base import Declared, Expect, Field, Probe, ProbePlan

SHOWN = 6  # of the reference's requests are sent as they are
LOOKED_AT = 200
DEEP = 20_000  # brackets, one in the other
DIGITS = 5_000  # of an integer: more than interpreters read by default
BEYOND = 2**53 + 1
STRANGER = "seatrial_unknown_field"
_MARK = "\ue000seatrial\ue000"


@dataclass(frozen=True)
class Envelope:
    """What stands around the record in the body of a request."""

    before: str = ""
    after: str = ""

    def body(self, text: str) -> bytes:
        """Return the body that carries one record."""
        return f"{self.before}{text}{self.after}".encode("utf-8", "surrogatepass")


def plan_of_records(path: str, requests: pd.DataFrame, envelope: Envelope) -> ProbePlan:
    """Return the probes of a protocol whose requests are JSON records; with an envelope, the model declares them."""
    records = varied_records(requests)
    return ProbePlan(
        path,
        sound=[envelope.body(json.dumps(record)) for record in records],
        probes=lambda at, declared: probes(records[at], declared, envelope),
        records=records,
        declared_by="signature" if envelope.before else "openapi",
    )


def varied_records(requests: pd.DataFrame) -> Sequence[dict[str, Any]]:
    """Return some of the requests as records, each of another shape where there are such, the fullest first."""
    shapes: dict[Any, dict[str, Any]] = {}
    for text in frame_json.payloads(requests.iloc[:LOOKED_AT]):
        try:
            record = json.loads(text)
        except ValueError:
            continue
        if isinstance(record, dict):
            shapes.setdefault(tuple(sorted(k for k, v in record.items() if v is not None)), record)
    found = sorted(shapes.values(), key=lambda r: -sum(v is not None for v in r.values()))
    return found[:SHOWN]


def probes(record: Mapping[str, Any], declared: Declared, envelope: Envelope) -> Iterator[Probe]:
    """Yield the probes of a request: of each field, of a field nobody knows, and of the body as a whole."""
    plain = json.dumps(record)
    for name in dict.fromkeys([*declared.fields, *record]):
        known = declared.fields.get(name, Field(name))
        for cause, words, text, expect, twin in _of_field(record, known):
            alike = envelope.body(json.dumps(twin)) if twin is not None else None
            yield Probe(cause, words, envelope.body(text), expect, name, alike, text=text)
    unknown = Expect.EITHER if declared.open_ else Expect.REFUSE
    strange = json.dumps({**record, STRANGER: 1})
    yield Probe(
        "unknown-field", f"a field nobody knows, '{STRANGER}'", envelope.body(strange), unknown, None,
        envelope.body(plain), text=strange,
    )  # fmt: skip
    for name, known in declared.fields.items():
        wrong = misspelt(name, [*declared.fields, *record])
        if not known.required and wrong:
            without = {k: v for k, v in record.items() if k != name}
            text = json.dumps({**without, wrong: record.get(name)})
            yield Probe(
                "unknown-field", f"'{wrong}' for '{name}'", envelope.body(text), unknown, name,
                envelope.body(json.dumps(without)), text=text,
            )  # fmt: skip
    yield from _of_body(plain, envelope)


def misspelt(name: str, known: list[str]) -> str:
    """Return the name with two letters swapped, or empty where that is another name or the same."""
    for at in range(len(name) - 2, 0, -1):
        wrong = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
        if wrong not in known:
            return wrong
    return ""


def _of_field(
    record: Mapping[str, Any], known: Field
) -> Iterator[tuple[str, str, str, Expect, Mapping[str, Any] | None]]:
    """Yield (cause, words, text of the record, expectation, the record it would be read as) for one field."""
    name, value, types = known.name, record.get(known.name), known.types

    def sent(raw: str) -> str:
        return json.dumps({**record, name: _MARK}).replace(json.dumps(_MARK), raw)

    def read_as(other: Any) -> Mapping[str, Any]:
        return {**record, name: other}

    number = bool(types & {"integer", "number"})
    whole = "integer" in types and "number" not in types
    if number:
        plain = value if isinstance(value, int | float) and not isinstance(value, bool) else 41
        if "string" not in types:
            yield "dtype-coercion", "the number as text", sent(f'"{plain}"'), Expect.REFUSE, read_as(plain)  # fmt: skip
        if "boolean" not in types:
            yield "dtype-coercion", "true for a number", sent("true"), Expect.REFUSE, read_as(1)
        yield "not-a-number", "NaN, which JSON does not have", sent("NaN"), Expect.REFUSE, None
        yield "not-a-number", "Infinity, which JSON does not have", sent("Infinity"), Expect.REFUSE, None
        yield "not-a-number", "1e999, which is beyond every double", sent("1e999"), Expect.REFUSE, None
    if whole:
        near = plain if isinstance(plain, int) and abs(plain) < 2**52 else 1
        yield "truncation", "a fraction for an integer", sent(f"{near}.5"), Expect.REFUSE, read_as(near)
        yield "json-integer", "an integer over 2^53", sent(str(BEYOND)), Expect.EITHER, None
    if "boolean" in types and not number:
        yield "dtype-coercion", "1 for true", sent("1"), Expect.REFUSE, read_as(True)
        if "string" not in types:
            yield "dtype-coercion", '"true" for true', sent('"true"'), Expect.REFUSE, read_as(True)
    if types == {"string"}:
        yield "dtype-coercion", "a number for text", sent("41"), Expect.REFUSE, read_as("41")
    if types and not types & {"array", "object"}:
        yield "dtype-coercion", "a list for one value", sent(f"[{json.dumps(value)}]"), Expect.REFUSE, read_as(value)
    if "string" in types or isinstance(value, str):
        yield "text", "text with a NUL character", sent('"a\\u0000b"'), Expect.EITHER, None
        yield "text", "text with half a surrogate pair", sent('"a\\ud800b"'), Expect.EITHER, None
    may = Expect.EITHER if known.nullable is None else Expect.ACCEPT if known.nullable else Expect.REFUSE
    yield "null", "null", sent("null"), may, None
    without = json.dumps({k: v for k, v in record.items() if k != name})
    absent = Expect.REFUSE if known.required else Expect.ACCEPT if types else Expect.EITHER
    yield "missing", "a request without it", without, absent, None


def _of_body(plain: str, envelope: Envelope) -> Iterator[Probe]:
    """Yield bodies that are no request at all."""
    deep = "[" * DEEP + "]" * DEEP
    whole = envelope.body(plain)
    for words, body in (
        ("an empty body", b""),
        ("null for a request", b"null"),
        ("text for a request", b'"text"'),
        ("an empty list for a request", b"[]"),
        ("half a request", whole[: max(1, len(whole) // 2)]),
        ("two requests in one body", whole + whole),
        ("a body that is not UTF-8", whole[:-1] + b', "\xff\xfe": 1}'),
        (f"lists in lists, {DEEP:,} deep", envelope.body(deep)),
        (f"an integer of {DIGITS:,} digits", envelope.body("9" * DIGITS)),
    ):
        yield Probe("malformed", words, body)
    yield Probe("content-type", "JSON that calls itself text/plain", whole, content_type="text/plain")
    yield Probe("malformed", "a form in place of JSON", b"a=1&b=2", content_type="application/x-www-form-urlencoded")
