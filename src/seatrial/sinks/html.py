"""The verdict as one HTML file: self-contained, without scripts, readable offline, in dark mode and on paper."""

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

from seatrial.events import Finding, Measurement, NotEvaluated, Outcome, Severity, Verdict
from seatrial.formatting import number, plural, seconds, share
from seatrial.io.files import atomic_write
from seatrial.sinks.base import Sink
from seatrial.sinks.evidence import evidence
from seatrial.sinks.outline import CaseResult, State, decisive, earlier_runs, places, reason, results
from seatrial.sinks.page.diagram import MOST_ACROSS, Diagram, diagram
from seatrial.sinks.page.pictures import drawings
from seatrial.sinks.page.summary import sentences
from seatrial.sinks.text import neutral

SHOWN = 200
"""The most findings of one kind, and measurements, that the page shows; further ones are counted."""

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
        sentences=sentences(verdict),
        numbers={id(finding): number for number, finding in verdict.numbered.items()},
        diagrams=_diagrams(verdict),
        whole_path=[r for r in results(verdict) if r.case.stage not in verdict.path],
        origins=[f for f in verdict.errors if not f.downstream],
        downstream=[f for f in verdict.errors if f.downstream],
        warnings=[f for f in verdict.findings if f.severity is Severity.WARNING],
        notes=[f for f in verdict.findings if f.severity is Severity.INFO],
        not_evaluated=sorted(verdict.not_evaluated, key=_crashed_first),
        table=_table(verdict),
        earlier=earlier_runs(verdict),
        compared=sum(r.compared for r in results(verdict)),
        cases=len(results(verdict)),
        created=_created(verdict.subject.created),
    )


@cache
def _template() -> Template:
    folder = Path(__file__).parent / "page"
    style = (folder / "report.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_neutral,
    )
    environment.filters |= {
        "address": id,
        "drawings": drawings,
        "evidence": evidence,
        "measured": _measured,
        "number": number,
        "plural": plural,
        "seconds": seconds,
        "short": neutral,
    }
    environment.globals |= {
        "style": Markup(style),  # noqa: S704  our own file; the content security policy admits its hash alone
        "style_hash": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        "version": metadata.version("seatrial"),
        "shown": SHOWN,
    }
    return environment.get_template("report.html.j2")


def _neutral(value: Any) -> Any:
    """Pass numbers and our own markup; everything else that the template prints is made neutral, then escaped."""
    return value if isinstance(value, Markup | int | float) else neutral(value, 600)


def _measured(measurement: Measurement) -> str:
    """Return the value of a measurement, in percent where it is a share."""
    return (share if measurement.name.endswith("_share") else number)(measurement.value)


def _diagrams(verdict: Verdict) -> list[Diagram]:
    dependencies = verdict.dependencies
    path = places(verdict)
    if not path:
        return []
    down = diagram(path, dependencies, "down")
    stages = sum(p.name not in dependencies for p in path)
    return [diagram(path, dependencies, "across"), down] if stages <= MOST_ACROSS else [down]


def _table(verdict: Verdict) -> dict[str, Any]:
    """Return checks × places: ``columns`` are places (None is the whole path), ``rows`` pair a check with results."""
    every = results(verdict)
    by_case = {(r.case.check, r.case.stage): r for r in every}
    columns: Sequence[str | None] = list(dict.fromkeys([*verdict.path, *(r.case.stage for r in every)]))
    columns = [c for c in columns if any(r.case.stage == c for r in every)]
    checks = list(dict.fromkeys(r.case.check for r in every))
    rows: list[tuple[str, list[CaseResult | None]]] = [
        (check, [by_case.get((check, column)) for column in columns]) for check in checks
    ]
    present = {r.state for r in every} | ({State.NOT_RUN} if any(None in row for _, row in rows) else set())
    return {"columns": columns, "rows": rows, "states": [s for s in State if s in present]}


def _crashed_first(not_evaluated: NotEvaluated) -> bool:
    return not not_evaluated.crashed


def _created(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC") if milliseconds else ""
    except (OverflowError, OSError, ValueError):
        return ""
