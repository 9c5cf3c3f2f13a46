"""Troubles in words: one finding for each cause and field, or for each cause where many fields share it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seatrial.checks.contract.judge import Problem
from seatrial.events import Finding, Severity
from seatrial.pipeline import SERVICE

MANY = 3  # fields with the same trouble are told one by one up to here, and together beyond
NAMED = 4
VERBS = {
    "": "the service takes",
    "refused": "the service refuses",
    "no-answer": "the service gives no answer to",
    "error-shape": "the service refuses, in another shape than it documents,",
    "error-status": "the service refuses, with another status than it documents,",
    "error-as-success": "the service answers as if it were a success to",
    "answer-shape": "the service answers, in another shape than it documents,",
    "json-integer": "the service answers to",
    "not-json": "the service answers no JSON to",
}
ADVICE = {
    "": "Send it by hand and read the service's log: no request may end in a 500.",
    "answer-shape": "Answer in the shape that the OpenAPI documents, or document this one.",
    "malformed-tensor": "Refuse a tensor whose shape, datatype and data do not agree.",
    "truncation": "Refuse what is no integer: a strict type of the field, or strict=True of the model.",
    "dtype-coercion": "Refuse values of another type: a strict type of the field, or strict=True of the model.",
    "unknown-field": "Refuse unknown fields (extra='forbid'): a misspelt one takes its default in silence.",
    "not-a-number": "Refuse NaN and infinity: JSON has neither, and no comparison with them holds.",
    "excluded": "Refuse what the OpenAPI excludes, or allow it there.",
    "null": "Refuse null where the field is not declared to be null, or declare what it means.",
    "missing": "Refuse a request without it, or declare its default.",
    "error-as-success": "Answer errors with a status of 400 and above; callers read the status first.",
    "error-shape": "Answer errors in the shape that the OpenAPI documents, or document this one.",
    "error-status": "Answer with a documented status, or document this one.",
    "json-integer": "Send it as text, or name it in [golden] wide_integers of service.toml.",
}


def findings(name: str, troubles: Sequence[Problem]) -> Iterator[Finding]:
    """Yield one finding for each cause and field, or for each cause where many fields share it."""
    by_cause: dict[tuple[str, Severity], list[Problem]] = {}
    for trouble in troubles:
        by_cause.setdefault((trouble.cause, trouble.severity), []).append(trouble)
    for (cause, severity), of_cause in by_cause.items():
        fields = list(dict.fromkeys(t.of for t in of_cause))
        for some in (
            [fields] if len(fields) > MANY and cause.startswith(("status", "no-answer")) else [[f] for f in fields]
        ):
            yield _finding(name, cause, severity, some, [t for t in of_cause if t.of in some])


def _finding(
    name: str, cause: str, severity: Severity, fields: Sequence[str | None], troubles: Sequence[Problem]
) -> Finding:
    named = [f for f in fields if f is not None]
    where = f"In {_few([repr(f) for f in named], ', ')}, " if named else ""
    verb = VERBS.get(cause, f"the service answers {cause[7:]} to" if cause.startswith("status-") else VERBS[""])
    notes = list(dict.fromkeys(t.note for t in troubles if t.note))
    if len(notes) == 1:
        said = f"{where}{verb} {_few([t.words for t in troubles])}: {notes[0]}"
    else:
        said = f"{where}{verb} {_few([t.words + (f' ({t.note})' if t.note else '') for t in troubles])}"
    return Finding(
        name, SERVICE, f"{said[0].upper()}{said[1:].rstrip('.')}.", column=named[0] if len(named) == 1 else None,
        severity=severity, cause=cause, advice=ADVICE.get(cause, ADVICE[""]),
        evidence={"requests": len(troubles), "fields": named},
    )  # fmt: skip


def _few(words: Sequence[str], between: str = "; ") -> str:
    found = list(dict.fromkeys(words))
    return between.join(found[:NAMED]) + (f" and {len(found) - NAMED} more" if len(found) > NAMED else "")
