"""The verdict as one HTML file: self-contained, without scripts, readable offline, in the dark and on paper."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from seatrial.events import Finding, NotEvaluated, Outcome, Severity, Verdict
from seatrial.io.files import atomic_write
from seatrial.sinks import text
from seatrial.sinks.base import Sink
from seatrial.sinks.diagram import MOST_ACROSS, Picture, picture
from seatrial.sinks.evidence import evidence
from seatrial.sinks.outline import CaseResult, State, answers, decisive, places, reason

SHOWN = 200
"""Findings of one kind, and measured values, that the page shows; the rest is counted."""

_HEADLINES = {
    Outcome.PASS: "Pass",
    Outcome.FAIL: "Fail",
    Outcome.INCONCLUSIVE: "Inconclusive",
    Outcome.ERROR: "Error",
}


class HtmlReport(Sink):
    """Writes the verdict as one HTML page to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def verdict(self, verdict: Verdict) -> None:
        """Write the file, whole or not at all."""
        atomic_write(self.path, render(verdict).encode())


def render(verdict: Verdict) -> str:
    """Return the report as HTML. The same verdict always gives the same page."""
    first = decisive(verdict)
    return _template().render(
        verdict=verdict,
        headline=_HEADLINES[verdict.outcome],
        first=first,
        first_is_finding=isinstance(first, Finding),
        reason=reason(verdict),
        pictures=_pictures(verdict),
        whole_path=[a for a in answers(verdict) if a.case.stage not in verdict.path],
        born=[f for f in verdict.errors if not f.downstream],
        downstream=[f for f in verdict.errors if f.downstream],
        warnings=[f for f in verdict.findings if f.severity is Severity.WARNING],
        notes=[f for f in verdict.findings if f.severity is Severity.INFO],
        not_evaluated=sorted(verdict.not_evaluated, key=_crashed_first),
        table=_table(verdict),
        compared=sum(a.compared for a in answers(verdict)),
        asked=len(answers(verdict)),
        created=_created(verdict.subject.created),
    )


@cache
def _template() -> Template:
    folder = Path(__file__).parent
    style = (folder / "report.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )
    environment.filters |= {
        "evidence": evidence,
        "number": text.number,
        "plural": text.plural,
        "seconds": text.seconds,
        "short": text.neutral,
    }
    environment.globals |= {
        "style": Markup(style),  # noqa: S704  our own file, and its hash is what the policy admits
        "style_hash": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        "version": metadata.version("seatrial"),
        "shown": SHOWN,
    }
    return environment.get_template("report.html.j2")


def _harmless(value: Any) -> Any:
    """Pass numbers and markup of our own; everything else that the template prints is made neutral, then escaped."""
    return value if isinstance(value, Markup | int | float) else text.neutral(value, 600)


def _pictures(verdict: Verdict) -> list[Picture]:
    dependencies = verdict.dependencies
    path = places(verdict)
    if not path:
        return []
    down = picture(path, dependencies, "down")
    stages = sum(p.name not in dependencies for p in path)
    return [picture(path, dependencies, "across"), down] if stages <= MOST_ACROSS else [down]


def _table(verdict: Verdict) -> dict[str, Any]:
    """Return checks × places: ``columns`` are stages (None is the whole path), ``rows`` pair a check and answers."""
    asked = answers(verdict)
    by_question = {(a.case.check, a.case.stage): a for a in asked}
    columns: Sequence[str | None] = list(dict.fromkeys([*verdict.path, *(a.case.stage for a in asked)]))
    columns = [c for c in columns if any(a.case.stage == c for a in asked)]
    checks = list(dict.fromkeys(a.case.check for a in asked))
    rows: list[tuple[str, list[CaseResult | None]]] = [
        (check, [by_question.get((check, column)) for column in columns]) for check in checks
    ]
    present = {a.state for a in asked}
    return {"columns": columns, "rows": rows, "states": [s for s in State if s in present]}


def _crashed_first(not_evaluated: NotEvaluated) -> bool:
    return not not_evaluated.crashed


def _created(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC") if milliseconds else ""
    except (OverflowError, OSError, ValueError):
        return ""
