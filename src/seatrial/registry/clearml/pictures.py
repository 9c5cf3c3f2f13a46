"""The findings of a verdict as a table, and the states of its checks as a picture, in the form of Plotly's JSON."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seatrial.events import Case, Evaluated, Finding, NotEvaluated, Severity
from seatrial.io import strict_json
from seatrial.sinks.files import FILES
from seatrial.sinks.outline import CaseResult, State
from seatrial.sinks.text import neutral

COLUMNS = ("number", "severity", "check", "stage", "column", "relation", "cause", "message")
WHOLE_PATH = "whole path"  # the stage of a check on all stages
COLOURS = {
    State.ORIGIN: "#c0392b",
    State.DOWNSTREAM: "#e59866",
    State.NOT_EVALUATED: "#8e44ad",
    State.NOT_RUN: "#d5d8dc",
    State.WARNING: "#f4d03f",
    State.PASSED: "#27ae60",
}
_MOST_BYTES = 64 * 2**20  # of a verdict that is drawn


def read(folder: Path) -> Mapping[str, Any] | None:
    """Return the verdict in a run's files; None where there is none, or one too long to draw."""
    file = folder / FILES["json"]
    if not file.is_file() or file.stat().st_size > _MOST_BYTES:
        return None
    found: Mapping[str, Any] = strict_json.loads(file.read_bytes(), any_text=True)
    return found


def findings(verdict: Mapping[str, Any]) -> list[list[str]]:
    """Return the findings as rows of text, the header first. Plotly shows markup in a cell, so it is escaped."""
    rows = [
        (
            number, each["severity"], each["check"], each["stage"] or WHOLE_PATH, each["column"] or "",
            "downstream" if each["downstream"] else "origin", each["cause"] or "", each["message"],
        )
        for number, each in enumerate(verdict["findings"], start=1)
    ]  # fmt: skip
    return [list(COLUMNS), *([_cell(value) for value in row] for row in rows)]


def states(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return a figure of the path's places by checks: each case's state, as a colour and in words."""
    cases = _cases(verdict)
    places = [*verdict["path"], *([WHOLE_PATH] if any(case.stage is None for case in cases) else [])]
    checks = list(dict.fromkeys(case.check for case in cases))
    by_place = {(case.check, case.stage or WHOLE_PATH): result.state for case, result in cases.items()}
    shown = [[by_place.get((check, place), State.NOT_RUN) for place in places] for check in checks]
    ranked = list(State)
    scale = [[at / len(ranked), COLOURS[ranked[int(at)]]] for at in range(len(ranked))]
    edges = [[(at + 1) / len(ranked), COLOURS[ranked[at]]] for at in range(len(ranked))]
    return {
        "data": [
            {
                "type": "heatmap", "x": [_cell(place) for place in places], "y": [_cell(check) for check in checks],
                "z": [[ranked.index(state) + 0.5 for state in row] for row in shown],
                "text": [[state.value for state in row] for row in shown], "texttemplate": "%{text}",
                "hovertemplate": "%{y} of %{x}: %{text}<extra></extra>", "zmin": 0, "zmax": len(ranked),
                "colorscale": [pair for both in zip(scale, edges, strict=True) for pair in both],
                "showscale": False, "xgap": 2, "ygap": 2,
            }
        ],
        "layout": {"xaxis": {"type": "category", "title": "stage"}, "yaxis": {"type": "category", "title": "check"}},
    }  # fmt: skip


def _cases(verdict: Mapping[str, Any]) -> Mapping[Case, CaseResult]:
    events: defaultdict[Case, list[Any]] = defaultdict(list)
    for each in verdict["evaluated"]:
        events[Case(each["check"], each["stage"])].append(Evaluated(**each))
    for each in verdict["findings"]:
        known = {**each, "severity": Severity(each["severity"])}
        events[Case(each["check"], each["stage"])].append(Finding(**known))
    for each in verdict["not_evaluated"]:
        events[Case(each["check"], each["stage"])].append(NotEvaluated(**each))
    return {case: _result(case, about) for case, about in events.items()}


def _result(case: Case, about: list[Any]) -> CaseResult:
    def of(kind: type[Any]) -> tuple[Any, ...]:
        return tuple(each for each in about if isinstance(each, kind))

    return CaseResult(case, of(Evaluated), of(Finding), of(NotEvaluated))


def _cell(value: object) -> str:
    return html.escape(neutral(value), quote=False)
