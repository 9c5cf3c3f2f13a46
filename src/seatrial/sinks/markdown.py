"""Findings as Markdown and as table rows, for pages of other programs such as Prefect and MLflow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from seatrial.events import Case, Finding, Severity, Verdict
from seatrial.formatting import plural
from seatrial.sinks.evidence import evidence
from seatrial.sinks.outline import State, decisive, downstream, earlier_runs, places
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
_WORD = re.compile(r"[\w.:/@-]+", re.ASCII)  # what a shell and a code span show as it is


def literal(text: object, limit: int = 300) -> str:
    """Return ``text`` escaped so that Markdown shows it as it is, without HTML, link, image, table cell or emphasis."""
    escaped = _ACTIVE.sub(r"\\\g<0>", neutral(text, limit))
    escaped = re.sub(r"[&<>]", lambda m: _ENTITIES[m[0]], escaped)
    return re.sub(r"(?i)\b(www)\.", r"\1\\.", escaped)


def headline(verdict: Verdict) -> str:
    """Return the outcome, the version, and where the reason is, as plain text for a name or a title.

    Example:
        >>> from seatrial.events import Subject, total
        >>> finding = Finding("expectations", "features", "'hour' differs.", column="hour")
        >>> headline(total([finding], subject=Subject("payments", "2"), path=["features"], planned=[]))
        'fail · payments 2 · features.hour'
    """
    subject = verdict.subject
    version = " ".join(neutral(name, 80) for name in (subject.model, subject.version) if name)
    return " · ".join(part for part in (verdict.outcome.value, version, where(verdict)) if part)


def where(verdict: Verdict) -> str:
    """Return stage and column of the reason for the verdict, such as ``features.hour``; empty where it passed."""
    event = decisive(verdict)
    if isinstance(event, Finding):
        more = len(_columns(event)) - 1
        named = ".".join(neutral(name, 60) for name in (event.stage or event.check, event.column) if name)
        return f"{named} +{more}" if event.column and more > 0 else named
    return "" if event is None or event.check == "run" else neutral(Case(event.check, event.stage), 120)


def findings_markdown(shown: Verdict | Iterable[Finding], room: int = ROOM, *, uri: str = "") -> str:
    """Return a page for a person: a verdict with its headline, findings with their numbers, and the path.

    Origins come first. The page has at most ``room`` characters; lines that do not fit are counted.

    Args:
        shown: a verdict, or findings alone, which have no numbers.
        room: most characters.
        uri: of the version; with it the page names the command that shows a finding.
    """
    if not isinstance(shown, Verdict):
        return _page([], _rows(shown, {}), room)
    verdict, numbers = shown, _numbers(shown)
    head = [f"seatrial: {literal(headline(verdict))}", "---", ""]
    if verdict.path:
        head += [" → ".join(_place(p.name, p.state) for p in places(verdict)), ""]
    if not isinstance(decisive(verdict), Finding):
        head += [literal(verdict.summary), ""]
    rows = _rows(verdict.findings, numbers)
    after = [
        f"- not evaluated: {literal(n.stage or 'whole path', 80)} · {literal(n.check, 80)}: {literal(n.reason)}"
        for n in verdict.not_evaluated
    ]
    after += [f"- {literal(line)}" for line in earlier_runs(verdict)]
    if command := show_command(verdict, uri):
        after += ["", f"To look into a finding by its number, on the machine that validated: `{command}`"]
    return _page(head, rows, room, after)


def show_command(verdict: Verdict, uri: str) -> str:
    """Return the command that shows the first finding of a verdict; empty where it has none, or a name needs quotes."""
    numbers = _numbers(verdict)
    first = next((numbers[id(f)] for f in _sorted(verdict.findings) if not f.downstream), 0)
    return f"seatrial show {uri} {first}" if first and _WORD.fullmatch(uri) else ""


def _numbers(verdict: Verdict) -> dict[int, int]:
    """Return the number of each finding by the finding's ``id()``: equal ones may stand in a verdict twice."""
    return {id(finding): number for number, finding in verdict.numbered.items()}


def findings_rows(shown: Verdict | Iterable[Finding]) -> list[dict[str, str]]:
    """Return one row a finding, origins first, with cells that are safe to show and to export to a spreadsheet."""
    numbers = _numbers(shown) if isinstance(shown, Verdict) else {}
    return [
        {
            **({"number": str(numbers[id(f)])} if numbers else {}),
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
        for f in _sorted(shown.findings if isinstance(shown, Verdict) else shown)
    ]


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    gravity = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    return sorted(findings, key=lambda f: (gravity.index(f.severity), f.downstream))


def _rows(findings: Iterable[Finding], numbers: Mapping[int, int]) -> list[str]:
    """Return one list item for each origin and remark, then one for each place that is downstream."""
    ranked = _sorted(findings)
    rows = []
    for f in ranked:
        if f.downstream:
            continue
        number = f"{numbers[id(f)]} · " if id(f) in numbers else ""
        place = number + " · ".join(f"**{literal(w, 80)}**" for w in (f.stage or "whole path", f.column) if w)
        kind = "" if f.severity is Severity.ERROR else f"{f.severity.value}: "
        parts = [kind + literal(f.message)]
        parts += [f"**What to do:** {literal(f.advice)}"] if f.advice else []
        parts += [f"**Cause:** {literal(f.cause)}."] if f.cause else []
        parts += [f"**Evidence:** {told}"] if (told := literal(evidence(f.evidence))) else []
        rows.append(f"- {place}: " + "  ".join(parts))
    for stage, columns in downstream(ranked).items():
        listed = literal(", ".join(columns) or "not reached")
        rows.append(f"- {literal(stage or 'whole path', 80)}, downstream: {listed}")
    return rows


def _columns(finding: Finding) -> Sequence[str]:
    listed = finding.evidence.get("columns")
    return listed if isinstance(listed, list | tuple) else [finding.column] if finding.column else []


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
