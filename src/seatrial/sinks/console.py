"""The verdict on a terminal: what broke and where first, the numbers after, one line to remember last."""

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
from seatrial.io.files import atomic_write
from seatrial.sinks.base import Sink
from seatrial.sinks.evidence import evidence
from seatrial.sinks.outline import CaseResult, State, answers, places
from seatrial.sinks.text import neutral, plural, seconds

FINDINGS_SHOWN = 20
WIDTH = 120  # characters of a line in a file
ERASED = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))

_STYLE = {
    State.BORN: "bold red",
    State.PROPAGATED: "yellow",
    State.UNJUDGED: "bright_black",
    State.UNASKED: "bright_black",
    State.WARNED: "green",
    State.PASSED: "green",
}
_MARK = {
    State.BORN: ("✗", "x"),
    State.PROPAGATED: ("~", "~"),
    State.UNJUDGED: ("?", "?"),
    State.UNASKED: ("–", "-"),
    State.WARNED: ("!", "!"),
    State.PASSED: ("✓", "ok"),
}
_OUTCOME_STYLE = {
    Outcome.PASS: "bold white on green",
    Outcome.FAIL: "bold white on red",
    Outcome.INCONCLUSIVE: "bold black on yellow",
    Outcome.ERROR: "bold white on magenta",
}


def show(verdict: Verdict, console: Console) -> None:
    """Print the verdict. Text from outside reaches the terminal as visible characters only."""
    say = _Speaker(console)
    badge = Text(f" {verdict.outcome.value.upper()} ", style=_OUTCOME_STYLE[verdict.outcome])
    console.print(Text.assemble("\n", badge, "  ", (say(verdict.subject, 100), "bold")), "", sep="\n")
    if verdict.path:
        console.print(_path(verdict, say), "", sep="\n")
    if verdict.findings:
        console.print(_findings(verdict, say))
    for not_evaluated in verdict.not_evaluated[:FINDINGS_SHOWN]:
        word = "crashed" if not_evaluated.crashed else "not judged"
        case = say(Case(not_evaluated.check, not_evaluated.stage), 100)
        console.print(Text.assemble(("? ", "bright_black"), f"{case}: {word}: {say(not_evaluated.reason)}"))
    if (more := len(verdict.not_evaluated) - FINDINGS_SHOWN) > 0:
        console.print(Text(f"  and {more:,} more not judged"))
    if verdict.not_evaluated:
        console.print()
    if asked := answers(verdict):
        console.print(_numbers(asked, say))
    console.print(Text(say(verdict.summary, 600), style="bold"))


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
    """Prints each question as it is answered, where a person is looking; silent in a pipe."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._say = _Speaker(self.console)
        self._findings: list[Finding] = []
        self._left = 0
        self._open = False  # a line of progress stands there

    def planned(self, cases: Sequence[Case]) -> None:
        """Remember how many answers there will be."""
        self._left = len(cases)

    def event(self, event: Event) -> None:
        """Print one line for an answer; findings wait for the answer they belong to."""
        if not self.console.is_terminal:
            return
        if isinstance(event, Finding):
            self._findings.append(event)
        elif isinstance(event, Evaluated | NotEvaluated):
            self._answered(event)

    def progress(self, done: int, of: int, what: str) -> None:
        """Show how far a long question is, on one line that the next one takes."""
        if self.console.is_terminal:
            line = Text(f"  {done:,} of {of:,}: {self._say(what, 100)}", style="bright_black")
            line.truncate(max(1, self.console.width - 1), overflow="ellipsis" if self._say.unicode else "crop")
            self.console.control(ERASED)
            self.console.print(line, end="")
            self._open = True

    def _answered(self, event: Evaluated | NotEvaluated) -> None:
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
            words = f"{event.compared:,} compared, {took}"
        else:
            state, words = State.UNJUDGED, self._say(event.reason)
        if mine:
            words = f"{plural(len(mine), 'finding')}, {words}"
        left = f"  ({self._left:,} to go)" if self._left > 0 else ""
        mark = (self._say.mark(state) + " ", _STYLE[state])
        self.console.print(Text.assemble(mark, self._say(case, 80), "  ", (words + left, "bright_black")))


class _Speaker:
    """Text that this console can print: harmless, and spelled in the letters its encoding has."""

    def __init__(self, console: Console) -> None:
        self._encoding = console.encoding or "ascii"
        self.unicode = "utf" in self._encoding.lower()

    def __call__(self, text: object, limit: int = 300) -> str:
        return neutral(text, limit).encode(self._encoding, "backslashreplace").decode(self._encoding)

    def mark(self, state: State) -> str:
        return _MARK[state][0 if self.unicode else 1]


def _path(verdict: Verdict, say: _Speaker) -> Text:
    line = Text()
    for place in places(verdict):
        if line:
            line.append(" → " if say.unicode else " -> ", style="bright_black")
        word = "" if place.state is State.PASSED else f" {place.state.value}"
        line.append(f"{say(place.name, 40)} {say.mark(place.state)}{word}", style=_STYLE[place.state])
    return line


def _table(say: _Speaker, *, title: str) -> Table:
    return Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD if say.unicode else box.ASCII,
        header_style="bright_black",
        pad_edge=False,
    )


def _findings(verdict: Verdict, say: _Speaker) -> Table:
    born = [f for f in verdict.errors if not f.downstream]
    ranked = (*born, *(f for f in verdict.findings if f.severity is not Severity.ERROR))
    table = _table(say, title=plural(len(ranked), "finding"))
    table.add_column("stage", overflow="fold", min_width=8)
    table.add_column("column", overflow="fold", min_width=6)
    table.add_column("what, why, what to do", overflow="fold", ratio=1)
    for finding in ranked[:FINDINGS_SHOWN]:
        style = "red" if finding.severity is Severity.ERROR else ""
        table.add_row(
            Text(say(finding.stage or "whole path", 60), style=style),
            Text(say(finding.column or "", 60)),
            _told(finding, say),
        )
    if (more := len(ranked) - FINDINGS_SHOWN) > 0:
        table.add_row("", "", Text(f"and {more:,} more"))
    for place in dict.fromkeys(f.stage for f in verdict.errors if f.downstream):
        columns = dict.fromkeys(f.column for f in verdict.errors if f.downstream and f.stage == place and f.column)
        told = say(", ".join(columns), 200) or "not reached, or not as in training"
        table.add_row(Text(say(place or "whole path", 60), style="yellow"), "", Text(f"{told}  [propagated]", "yellow"))
    return table


def _told(finding: Finding, say: _Speaker) -> Text:
    kind = "" if finding.severity is Severity.ERROR else finding.severity.value
    told = Text(say(finding.message))
    tags = ", ".join(t for t in (kind, say(finding.cause or "", 60)) if t)
    if tags:
        told.append(f"  [{tags}]", style="yellow")
    if shown := say(evidence(finding.evidence), 400):
        told.append(f"\n{shown}", style="bright_black")
    if finding.advice:
        told.append(f"\n{'→' if say.unicode else '->'} {say(finding.advice)}")
    return told


def _numbers(asked: Sequence[CaseResult], say: _Speaker) -> Table:
    table = _table(say, title=plural(len(asked), "question"))
    table.add_column("")
    table.add_column("question", overflow="fold")
    table.add_column("compared", justify="right")
    table.add_column("took", justify="right")
    for answer in asked:
        took = "cached" if answer.cached else seconds(answer.seconds) if answer.evaluated else ""
        table.add_row(
            Text(say.mark(answer.state), style=_STYLE[answer.state]),
            Text(say(answer.case, 80)),
            f"{answer.compared:,}" if answer.evaluated else "",
            took,
        )
    return table
