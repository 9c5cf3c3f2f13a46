"""The fixed probes: requests that services get sooner or later, each with what a sound service does with it.

Every probe changes one thing of a request that is known to be answered. Texts are made here and not by a JSON
library on the way: NaN, ``1e999`` and lone surrogates are not what such a library writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from seatrial.checks.contract.fields import Declared, Field

DEEP = 20_000  # brackets, one in the other
DIGITS = 5_000  # of an integer: more than interpreters read by default
BEYOND = 2**53 + 1
STRANGER = "seatrial_unknown_field"
_MARK = "\ue000seatrial\ue000"


class Expect(StrEnum):
    """What a sound service does."""

    REFUSE = "refuse"  # with a status of 400 to 499
    ACCEPT = "accept"
    EITHER = "either"  # but answer, and not with 500


@dataclass(frozen=True)
class Probe:
    """One request.

    Attributes:
        cause: the slug of the finding where it is accepted and should not be.
        words: what was sent, completing "the service takes …".
        body: the bytes of it.
        expect: what a sound service does.
        of: the field that it is about, None for the whole request.
        twin: the body of the request that it would be answered like if it were coerced or ignored.
        content_type: of the body.
        text: of the record alone, as it can be given to the path in process.
    """

    cause: str
    words: str
    body: bytes = field(repr=False)
    expect: Expect = Expect.REFUSE
    of: str | None = None
    twin: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    text: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Envelope:
    """What stands around the record in the body of a request."""

    before: str = ""
    after: str = ""

    def body(self, text: str) -> bytes:
        """Return the body that carries one record."""
        return f"{self.before}{text}{self.after}".encode("utf-8", "surrogatepass")


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
