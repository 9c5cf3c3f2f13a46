"""One finding for each cause and field, or for each cause where many fields share it, made of single probes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seatrial.checks.contract.judge import Problem
from seatrial.events import Finding, Severity
from seatrial.pipeline import SERVICE

MAX_SINGLE = 3  # fields with the same problem that get a finding each; more of them share one
NAMED = 4
MAX_ALLOWANCES = 3  # more lines to type become one
PREDICATES = {
    "": "accepts",
    "refused": "refuses",
    "no-answer": "does not answer",
    "error-shape": "returns an error with an undocumented body for",
    "error-status": "returns an error with an undocumented status for",
    "error-as-success": "returns an undocumented body with a success status for",
    "answer-shape": "returns an undocumented body for",
    "json-integer": "returns a JSON number beyond 2^53 for",
    "unread-field": "does not read it, and accepts",
    "not-json": "returns a success whose body cannot be read for",
}
ADVICE = {
    "": "Send the request by hand and read the service's log. No request may end with status 500.",
    "refused": "Accept requests like those of the reference, and every value that the declaration allows.",
    "no-answer": "Send the request by hand and read the service's log. Every request needs an answer.",
    "not-json": "Return JSON with a success status, or refuse the request.",
    "malformed": "Refuse a body that is not a valid request.",
    "content-type": "Refuse a body that is not declared as application/json.",
    "answer-shape": "Return the body that the OpenAPI documents, or document this one.",
    "malformed-tensor": "Refuse a tensor whose shape, datatype and data do not agree.",
    "truncation": "Refuse numbers that are not integers: use a strict type for the field, or strict=True in the model.",
    "dtype-coercion": "Refuse values of another type: use a strict type for the field, or strict=True in the model.",
    "first-value": "Refuse a list where one value is declared.",
    "unknown-field": "Refuse unknown fields (extra='forbid'): a misspelt optional field silently takes its default.",
    "unread-field": "Leave it where the service has no use for the field; otherwise find out why it is not read.",
    "not-a-number": "Refuse NaN and infinity: they are not JSON, and comparisons with them give wrong results.",
    "excluded": "Refuse what the OpenAPI excludes, or allow it there.",
    "null": "Refuse null in a field that is not declared nullable, or declare it nullable.",
    "missing": "Refuse a request without the field, or declare the field optional.",
    "error-as-success": "Return errors with status 400 or above; callers read the status first.",
    "error-shape": "Return errors with the body that the OpenAPI documents, or document this one.",
    "error-status": "Return errors with a documented status, or document this one.",
    "json-integer": "Send the column as text. If every consumer reads whole integers, name it in [golden] "
    "wide_integers of service.toml.",
}


def findings(name: str, problems: Sequence[Problem]) -> Iterator[Finding]:
    """Yield one finding for each cause and field, or for each cause where many fields share it.

    Args:
        name: the name of the check that reports.
        problems: the problems of all probes.
    """
    by_cause: dict[tuple[str, Severity], list[Problem]] = {}
    for problem in problems:
        by_cause.setdefault((problem.cause, problem.severity), []).append(problem)
    for (cause, severity), of_cause in by_cause.items():
        fields = list(dict.fromkeys(p.field_name for p in of_cause))
        together = len(fields) > MAX_SINGLE
        for group in [fields] if together else [[f] for f in fields]:
            yield _finding(name, cause, severity, group, [p for p in of_cause if p.field_name in group])


def _finding(
    name: str, cause: str, severity: Severity, fields: Sequence[str | None], problems: Sequence[Problem]
) -> Finding:
    named = [f for f in fields if f is not None]
    nouns = f"For {'field' if len(named) == 1 else 'fields'} {_few([repr(f) for f in named], ', ')}"
    nouns += ", and for the request as a whole, the" if len(named) < len(fields) else ", the"
    subject = nouns if named else "The"
    status = f"returns status {cause.removeprefix('status-')} for" if cause.startswith("status-") else PREDICATES[""]
    predicate = f"{subject} service {PREDICATES.get(cause, status)}"
    recorded = sum(p.probe == "request" for p in problems)
    details = list(dict.fromkeys(p.detail for p in problems if p.detail))
    if len(details) == 1:
        message = f"{predicate} {_few([p.description for p in problems])}: {details[0]}"
    else:
        message = f"{predicate} {_few([_with_detail(p) for p in problems])}"
    return Finding(
        name, SERVICE, f"{message.rstrip('.')}.", column=named[0] if len(named) == 1 else None,
        severity=severity, cause=cause, advice=_advice(cause, severity, problems),
        evidence={"requests": len(problems), "fields": named, "probes": list(dict.fromkeys(map(_place, problems))),
                  **({"recorded_requests": recorded} if recorded else {})},
    )  # fmt: skip


def _place(problem: Problem) -> str:
    """Return what was sent, with the field that it stood in."""
    return problem.description if problem.field_name is None else f"{problem.field_name}: {problem.description}"


def _advice(cause: str, severity: Severity, problems: Sequence[Problem]) -> str:
    """Return what to do, with the lines to type where it is a limit of the server."""
    advice = ADVICE.get(cause, ADVICE[""])
    names = _allowances(cause, problems)
    if severity is not Severity.ERROR or not names:
        return advice
    lines = ", ".join(f'"{name}" = "the reason"' for name in names)
    return f"{advice} Where it is a limit of the server, allow it below [contract.allow] of service.toml: {lines}."


def _allowances(cause: str, problems: Sequence[Problem]) -> list[str]:
    """Return the names that allow these problems and as few others as can be said in a few lines.

    That is a probe's description, the cause that several probes share, or the cause of the finding itself.
    """
    by_probe: dict[str, dict[str, None]] = {}
    for problem in problems:
        if problem.allowable:
            by_probe.setdefault(problem.probe, {}).setdefault(problem.description)
    each = [description for told in by_probe.values() for description in told]
    if {"generated", "excluded"} & by_probe.keys():
        return [cause]
    if len(each) <= MAX_ALLOWANCES:
        return each
    many = any(len(told) > MAX_ALLOWANCES for told in by_probe.values())
    if many or len(by_probe) > MAX_ALLOWANCES:
        return [cause]
    return [next(iter(told)) if len(told) == 1 else probe for probe, told in by_probe.items()]


def _with_detail(problem: Problem) -> str:
    return f"{problem.description} ({problem.detail.rstrip('.')})" if problem.detail else problem.description


def _few(items: Sequence[str], separator: str = "; ") -> str:
    found = list(dict.fromkeys(items))
    return separator.join(found[:NAMED]) + (f" and {len(found) - NAMED:,} more" if len(found) > NAMED else "")
