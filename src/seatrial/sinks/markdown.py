"""Findings as Markdown and as table rows, for pages of other programs such as Prefect and MLflow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from seatrial.events import Finding, Severity, Verdict
from seatrial.formatting import plural
from seatrial.sinks.evidence import evidence
from seatrial.sinks.outline import State, downstream, places
from seatrial.sinks.text import cell, neutral

ROOM = 4900
"""Most characters of one page: MLflow cuts the description of a model version at 5,000."""

_MARKS = {
    State.ORIGIN: "✗",
    State.DOWNSTREAM: "~",
    State.NOT_EVALUATED: "?",
    State.NOT_RUN: "–",
    State.WARNING: "!",
    State.PASSED: "✓",
}
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# A colon or a slash is escaped where it could make a link or a picture alone: some renderers show the backslash.
_ACTIVE = re.compile(r"[\\`*_{}\[\]()#+!|~@$^]|:(?=/|\w+:)|(?<=mailto):|(?<=xmpp):|(?<=/)/", re.IGNORECASE)


def literal(text: object, limit: int = 300) -> str:
    """Return ``text`` escaped so that Markdown shows it as it is, without HTML, link, image, table cell or emphasis."""
    escaped = _ACTIVE.sub(r"\\\g<0>", neutral(text, limit))
    escaped = re.sub(r"[&<>]", lambda m: _ENTITIES[m[0]], escaped)
    return re.sub(r"(?i)\b(www)\.", r"\1\\.", escaped)


def findings_markdown(shown: Verdict | Iterable[Finding], room: int = ROOM) -> str:
    """Return a page for a person: a verdict with headline and path, or findings alone.

    Origins come first. The page has at most ``room`` characters; lines that do not fit are counted.
    """
    if not isinstance(shown, Verdict):
        return _page([], _rows(shown), room)
    verdict = shown
    head = [f"**{verdict.outcome.value}** · {literal(verdict.subject)}", "", literal(verdict.summary), ""]
    if verdict.path:
        head += [" → ".join(_place(p.name, p.state) for p in places(verdict)), ""]
    not_evaluated = [
        f"- not evaluated: {literal(n.stage or 'whole path', 80)} · {literal(n.check, 80)}: {literal(n.reason)}"
        for n in verdict.not_evaluated
    ]
    return _page(head, _rows(verdict.findings), room, not_evaluated)


def findings_rows(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Return one row a finding, origins first, with cells that are safe to show and to export to a spreadsheet."""
    return [
        {
            "severity": f.severity.value,
            "stage": cell(f.stage or "whole path"),
            "column": cell(f.column or ""),
            "check": cell(f.check),
            "finding": cell(f.message),
            "cause": cell(f.cause or ""),
            "evidence": cell(str(evidence(f.evidence))),
            "what to do": cell(f.advice),
            "origin": "an earlier stage" if f.downstream else "this stage",
        }
        for f in _sorted(findings)
    ]


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    gravity = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    return sorted(findings, key=lambda f: (gravity.index(f.severity), f.downstream))


def _rows(findings: Iterable[Finding]) -> list[str]:
    """Return one list item for each origin and remark, then one for each place that is downstream."""
    ranked = _sorted(findings)
    rows = []
    for f in ranked:
        if f.downstream:
            continue
        where = " · ".join(f"**{literal(w, 80)}**" for w in (f.stage or "whole path", f.column) if w)
        kind = "" if f.severity is Severity.ERROR else f"{f.severity.value}: "
        parts = [kind + literal(f.message)]
        parts += [f"**Cause:** {literal(f.cause)}."] if f.cause else []
        parts += [f"**What to do:** {literal(f.advice)}"] if f.advice else []
        parts += [f"**Evidence:** {shown}"] if (shown := literal(evidence(f.evidence))) else []
        rows.append(f"- {where}: " + "  ".join(parts))
    for place, columns in downstream(ranked).items():
        listed = literal(", ".join(columns) or "not reached")
        rows.append(f"- {literal(place or 'whole path', 80)}, downstream: {listed}")
    return rows


def _place(name: str, state: State) -> str:
    shown = f"{literal(name, 80)} {_MARKS[state]}"
    return (
        shown
        if state is State.PASSED
        else f"**{shown} {state.value}**"
        if state is State.ORIGIN
        else f"{shown} {state.value}"
    )


def _page(head: Sequence[str], rows: Sequence[str], room: int, after: Sequence[str] = ()) -> str:
    lines, left_out = list(head), 0
    used = sum(len(line) + 1 for line in lines)
    reserve = 80
    for block in (rows, ["", *after] if after else []):
        for line in block:
            if used + len(line) + 1 > room - reserve:
                left_out += 1
                continue
            lines.append(line)
            used += len(line) + 1
    if left_out:
        lines += ["", f"{plural(left_out, 'line')} did not fit; the report has them all."]
    return "\n".join(lines).strip()[:room] + "\n"
