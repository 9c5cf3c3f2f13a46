"""A mutation test on a terminal: scores by stage, survivors with the rows that would have killed them, a last line."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seatrial.errors import EXIT_FAIL, EXIT_PASS
from seatrial.formatting import plural, share
from seatrial.mutation.results import EQUIVALENT, KILLED, SURVIVED, MutantResult, MutationReport
from seatrial.sinks.text import neutral

SHOWN = 20  # survivors, and equivalent mutants
LINES = 6  # of one diff


class MutationProgress:
    """Shows on one line how far a mutation test is, where the console is a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def __call__(self, what: str, done: int, of: int) -> None:
        """Show that ``done`` of ``of`` are done."""
        if self.console.quiet or not self.console.is_terminal:
            return
        counted = f" {done:,} of {of:,}" if of > 1 else ""
        ended = "\n" if done >= of else ""
        self.console.file.write(f"\r\x1b[K{neutral(what)}{counted}{ended}")
        self.console.file.flush()


def show(report: MutationReport, console: Console, *, brief: bool = False) -> None:
    """Print a report; text from outside reaches the terminal as visible characters only."""
    if not brief:
        console.print(_scores(report))
        _list(console, "Survived: these mutants would have been released", report.survivors)
        equal = [m for m in report.mutants if m.outcome == EQUIVALENT and m.kind == "code"]
        _list(console, "Equivalent: no result changed on any input, so these do not count", equal)
        _unmutated(console, report)
    console.print(Text(last_line(report), style="bold"), soft_wrap=True)


def last_line(report: MutationReport) -> str:
    """Return the summary in one line."""
    tally = report.tally()
    if report.inconclusive:
        return f"mutation test inconclusive: {report.inconclusive}"
    outcome = {EXIT_PASS: "mutation test passed", EXIT_FAIL: "mutation test failed"}[report.exit_code]
    tried = f"{report.candidates:,} rows beyond the reference" if report.candidates else "the reference alone"
    return (
        f"{outcome}: mutation score {share(tally.mutation_score)} of {plural(tally.scored, 'mutant')} "
        f"(minimum {share(report.minimum)}), {share(tally.right_stage_share)} of the killed in the right stage; "
        f"{tally.count(EQUIVALENT):,} equivalent on {tried}"
        + (f"; {report.remark}" if report.remark and not report.candidates else "")
    )


def _scores(report: MutationReport) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bright_black", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("stage", overflow="fold", min_width=12)
    for name in ("mutants", "killed", "survived", "equivalent", "mutation score", "right stage"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in (*report.stages, None):
        tally = report.tally(stage)
        counts = (len(tally.mutants), *map(tally.count, (KILLED, SURVIVED, EQUIVALENT)))
        shares = (tally.mutation_score, tally.right_stage_share)
        table.add_row(
            Text(neutral(stage or "all", 40)),
            *(f"{n:,}" for n in counts),
            *(share(s) if s == s else "" for s in shares),  # noqa: PLR0124  NaN of nothing
        )
    return table


def _list(console: Console, title: str, mutants: list[MutantResult] | tuple[MutantResult, ...]) -> None:
    if not mutants:
        return
    console.print(Text(f"{title} ({len(mutants):,})", style="bold"))
    for mutant in mutants[:SHOWN]:
        for line in _lines(mutant):
            console.print(Text(neutral(line, 200)), soft_wrap=True)
    if (more := len(mutants) - SHOWN) > 0:
        console.print(Text(f"  and {more:,} more; --json FILE lists all"))
    console.print()


def _unmutated(console: Console, report: MutationReport) -> None:
    if not report.unmutated:
        return
    console.print(Text(f"Reached by stages and not mutated ({len(report.unmutated):,})", style="bold"))
    for code in report.unmutated[:SHOWN]:
        line = f"  {code.what} ({', '.join(code.stages)}): {code.reason}"
        console.print(Text(neutral(line, 200)), soft_wrap=True)
    if (more := len(report.unmutated) - SHOWN) > 0:
        console.print(Text(f"  and {more:,} more; --json FILE lists all"))
    console.print()


def _lines(mutant: MutantResult) -> Iterator[str]:
    yield f"  {mutant.name} ({', '.join(mutant.stages)})"
    yield from (f"      {line}" for line in mutant.diff.splitlines()[:LINES])
    if mutant.outcome != SURVIVED:
        return
    yield from (f"    differs {where}" for where in mutant.differences)
    if mutant.origins:
        yield f"    a row that would have killed it: {mutant.origins[0]} (--killers FILE writes it)"
    elif mutant.differences:
        yield "    no row that would have killed it was found"
    yield from (f"    reported as a warning: {message}" for message in mutant.warnings)
