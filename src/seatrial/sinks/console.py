"""The verdict on a terminal: what failed and where it originates, then the numbers, then one line of summary."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.table import Table
from rich.text import Text

from seatrial.events import Case, Evaluated, Event, Finding, NotEvaluated, Outcome, Severity, Verdict
from seatrial.formatting import plural, seconds
from seatrial.io.files import atomic_write
from seatrial.sinks.base import Sink
from seatrial.sinks.evidence import evidence
from seatrial.sinks.outline import CaseResult, State, downstream, earlier_runs, places, results
from seatrial.sinks.text import neutral

FINDINGS_SHOWN = 20
WIDTH = 120  # characters of a line in a file
ERASED = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))

_STYLE = {
    State.ORIGIN: "bold red",
    State.DOWNSTREAM: "yellow",
    State.NOT_EVALUATED: "bright_black",
    State.NOT_RUN: "bright_black",
    State.WARNING: "green",
    State.PASSED: "green",
}
_MARK = {
    State.ORIGIN: ("✗", "x"),
    State.DOWNSTREAM: ("~", "~"),
    State.NOT_EVALUATED: ("?", "?"),
    State.NOT_RUN: ("–", "-"),
    State.WARNING: ("!", "!"),
    State.PASSED: ("✓", "ok"),
}
_OUTCOME_STYLE = {
    Outcome.PASS: "bold white on green",
    Outcome.FAIL: "bold white on red",
    Outcome.INCONCLUSIVE: "bold black on yellow",
    Outcome.ERROR: "bold white on magenta",
}


def show(verdict: Verdict, console: Console) -> None:
    """Print the verdict. Untrusted text reaches the terminal as visible characters only."""
    printable = _Printable(console)
    badge = Text(f" {verdict.outcome.value.upper()} ", style=_OUTCOME_STYLE[verdict.outcome])
    console.print(Text.assemble("\n", badge, "  ", (printable(verdict.subject, 100), "bold")), "", sep="\n")
    if verdict.path:
        console.print(_path(verdict, console, printable), "", sep="\n")
    if verdict.findings:
        console.print(_findings(verdict, printable))
    for not_evaluated in verdict.not_evaluated[:FINDINGS_SHOWN]:
        word = "crashed" if not_evaluated.crashed else State.NOT_EVALUATED.value
        case = printable(Case(not_evaluated.check, not_evaluated.stage), 100)
        console.print(Text.assemble(("? ", "bright_black"), f"{case}: {word}. {printable(not_evaluated.reason)}"))
    if (more := len(verdict.not_evaluated) - FINDINGS_SHOWN) > 0:
        console.print(Text(f"  and {more:,} more not evaluated"))
    if verdict.not_evaluated:
        console.print()
    if every := results(verdict):
        console.print(_cases(every, printable))
    for line in earlier_runs(verdict):
        console.print(Text(printable(line)))
    console.print(Text(printable(verdict.summary, 600), style="bold"))


class TextReport(Sink):
    """Writes what a terminal shows of the verdict as plain text to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def verdict(self, verdict: Verdict) -> None:
        """Write the file, whole or not at all."""
        page = io.StringIO()
        show(verdict, Console(file=page, width=WIDTH, no_color=True, force_terminal=False))
        atomic_write(self.path, page.getvalue().encode("utf-8", "replace"))


class Progress(Sink):
    """Prints each case as it ends, on a terminal; it prints nothing into a pipe."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._printable = _Printable(self.console)
        self._findings: list[Finding] = []
        self._left = 0
        self._open = False  # whether a line of progress stands on the screen

    def planned(self, cases: Sequence[Case]) -> None:
        """Store how many cases will run."""
        self._left = len(cases)

    def event(self, event: Event) -> None:
        """Print one line when a case ends; its findings are counted in that line."""
        if not self.console.is_terminal:
            return
        if isinstance(event, Finding):
            self._findings.append(event)
        elif isinstance(event, Evaluated | NotEvaluated):
            self._ended(event)

    def progress(self, done: int, of: int, what: str) -> None:
        """Show how far a long case is, on one line that the next one replaces."""
        if self.console.is_terminal:
            line = Text(f"  {done:,} of {of:,}: {self._printable(what, 100)}", style="bright_black")
            line.truncate(max(1, self.console.width - 1), overflow="ellipsis" if self._printable.unicode else "crop")
            self.console.control(ERASED)
            self.console.print(line, end="")
            self._open = True

    def _ended(self, event: Evaluated | NotEvaluated) -> None:
        if self._open:
            self.console.control(ERASED)
            self._open = False
        self._left -= 1
        case = Case(event.check, event.stage)
        mine = tuple(f for f in self._findings if f.check == event.check)
        self._findings.clear()
        if isinstance(event, Evaluated):
            state = CaseResult(case, (event,), mine).state
            took = "cached" if event.cached else seconds(event.seconds)
            result = f"{plural(event.compared, 'comparison')}, {took}"
        else:
            state, result = State.NOT_EVALUATED, self._printable(event.reason)
        if mine:
            result = f"{plural(len(mine), 'finding')}, {result}"
        left = f"  ({self._left:,} to go)" if self._left > 0 else ""
        mark = (self._printable.mark(state) + " ", _STYLE[state])
        self.console.print(Text.assemble(mark, self._printable(case, 80), "  ", (result + left, "bright_black")))


class _Printable:
    """Makes text printable on a console: neutral, and within the characters of its encoding."""

    def __init__(self, console: Console) -> None:
        self._encoding = console.encoding or "ascii"
        self.unicode = "utf" in self._encoding.lower()

    def __call__(self, text: object, limit: int = 300) -> str:
        return neutral(text, limit).encode(self._encoding, "backslashreplace").decode(self._encoding)

    def mark(self, state: State) -> str:
        return _MARK[state][0 if self.unicode else 1]


def _path(verdict: Verdict, console: Console, printable: _Printable) -> Text:
    """Return the places in order, with line breaks between them only."""
    arrow, lines = "→" if printable.unicode else "->", [Text()]
    for place in places(verdict):
        word = "" if place.state is State.PASSED else f" {place.state.value}"
        shown = Text(f"{printable(place.name, 40)} {printable.mark(place.state)}{word}", style=_STYLE[place.state])
        before = Text(f" {arrow} " if lines[-1] else "", style="bright_black")
        if lines[-1] and (lines[-1] + before + shown).cell_len > console.width:
            before = Text(f"{arrow} ", style="bright_black")
            lines.append(Text())
        lines[-1].append_text(before).append_text(shown)
    return Text("\n").join(lines)


def _table(printable: _Printable, *, title: str) -> Table:
    return Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD if printable.unicode else box.ASCII,
        header_style="bright_black",
        pad_edge=False,
    )


def _findings(verdict: Verdict, printable: _Printable) -> Table:
    ranked = [(n, f) for n, f in verdict.numbered.items() if not f.downstream or f.severity is not Severity.ERROR]
    table = _table(printable, title=plural(len(ranked), "finding"))
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("stage", overflow="fold", min_width=8)
    table.add_column("column", overflow="fold", min_width=6)
    table.add_column("finding, evidence, what to do", overflow="fold", ratio=1)
    for n, finding in ranked[:FINDINGS_SHOWN]:
        style = "red" if finding.severity is Severity.ERROR else ""
        table.add_row(
            Text(str(n), style=style),
            Text(printable(finding.stage or "whole path", 60), style=style),
            Text(printable(finding.column or "", 60)),
            _details(finding, printable),
        )
    if (more := len(ranked) - FINDINGS_SHOWN) > 0:
        table.add_row("", "", "", Text(f"and {more:,} more"))
    for place, columns in downstream(verdict.errors).items():
        listed = printable(", ".join(columns), 200) or "not reached, or does not match the reference"
        name = Text(printable(place or "whole path", 60), style="yellow")
        table.add_row("", name, "", Text(f"downstream: {listed}", "yellow"))
    return table


def _details(finding: Finding, printable: _Printable) -> Text:
    kind = "" if finding.severity is Severity.ERROR else finding.severity.value
    details = Text(printable(finding.message))
    tags = ", ".join(t for t in (kind, printable(finding.cause or "", 60)) if t)
    if tags:
        details.append(f"  [{tags}]", style="yellow")
    if shown := printable(evidence(finding.evidence), 400):
        details.append(f"\n{shown}", style="bright_black")
    if finding.advice:
        details.append(f"\n{'→' if printable.unicode else '->'} {printable(finding.advice)}")
    return details


def _cases(every: Sequence[CaseResult], printable: _Printable) -> Table:
    table = _table(printable, title=plural(len(every), "case"))
    table.add_column("")
    table.add_column("case", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("comparisons", justify="right")
    table.add_column("time", justify="right")
    for result in every:
        took = "cached" if result.cached else seconds(result.seconds) if result.evaluated else ""
        table.add_row(
            Text(printable.mark(result.state), style=_STYLE[result.state]),
            Text(printable(result.case, 80)),
            Text(result.state.value, style=_STYLE[result.state]),
            f"{result.compared:,}" if result.evaluated else "",
            took,
        )
    return table
