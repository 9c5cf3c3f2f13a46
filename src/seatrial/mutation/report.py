"""An exam on a terminal: the shares by stage, the survivors and what would have killed them, one line to remember."""

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
LINES = 6  # of one difference


class Progress:
    """Says on one line how far an exam is, where a person is looking."""

    def __init__(self, console: Console) -> None:
        self.console, self.what = console, ""

    def __call__(self, what: str, done: int, of: int) -> None:
        """Hear that ``done`` of ``of`` are done."""
        if self.console.quiet or not self.console.is_terminal:
            return
        counted = f" {done:,} of {of:,}" if of > 1 else ""
        ended = "\n" if done >= of else ""
        self.console.file.write(f"\r\x1b[K{neutral(what)}{counted}{ended}")
        self.console.file.flush()


def show(exam: MutationReport, console: Console, *, brief: bool = False) -> None:
    """Print an exam; text from outside reaches the terminal as visible characters only."""
    if not brief:
        console.print(_shares(exam))
        _list(console, "Survivors: these would have been released", exam.survivors)
        equal = [a for a in exam.answers if a.outcome == EQUIVALENT and a.kind == "mutant"]
        _list(console, "Equivalent: no answer changed anywhere, so they do not count", equal)
    console.print(Text(last_line(exam), style="bold"), soft_wrap=True)


def last_line(exam: MutationReport) -> str:
    """Return the one line to remember."""
    tally = exam.tally()
    if not tally.counting:
        return "exam not judged: no fault was seeded that changes an answer"
    word = {EXIT_PASS: "exam passed", EXIT_FAIL: "exam failed"}[exam.exit_code]
    ground = f"{exam.candidates:,} rows beyond the reference" if exam.candidates else "the reference alone"
    return (
        f"{word}: {share(tally.kill_share)} of {plural(tally.counting, 'fault')} killed ({share(exam.minimum)} asked), "
        f"{share(tally.right_share)} of them in the right stage; {tally.count(EQUIVALENT):,} equivalent on {ground}"
        + (f"; {exam.remark}" if exam.remark and not exam.candidates else "")
    )


def _shares(exam: MutationReport) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bright_black", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("stage", overflow="fold", min_width=12)
    for name in ("faults", "killed", "survived", "equivalent", "share killed", "right stage"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in (*exam.stages, None):
        tally = exam.tally(stage)
        counts = (len(tally.answers), *map(tally.count, (KILLED, SURVIVED, EQUIVALENT)))
        shares = (tally.kill_share, tally.right_share)
        table.add_row(
            Text(neutral(stage or "all", 40)),
            *(f"{n:,}" for n in counts),
            *(share(s) if s == s else "" for s in shares),  # noqa: PLR0124  NaN of nothing
        )
    return table


def _list(console: Console, title: str, answers: list[MutantResult] | tuple[MutantResult, ...]) -> None:
    if not answers:
        return
    console.print(Text(f"{title} ({len(answers):,})", style="bold"))
    for answer in answers[:SHOWN]:
        for line in _told(answer):
            console.print(Text(neutral(line, 200)), soft_wrap=True)
    if (more := len(answers) - SHOWN) > 0:
        console.print(Text(f"  and {more:,} more; --json FILE has them all"))
    console.print()


def _told(answer: MutantResult) -> Iterator[str]:
    where = ", ".join(answer.stages)
    yield f"  {answer.name} ({where})"
    yield from (f"      {line}" for line in answer.diff.splitlines()[:LINES])
    if answer.outcome != SURVIVED:
        return
    yield from (f"    differs {how}" for how in answer.differs)
    if answer.origins:
        yield f"    a row that would have killed it: {answer.origins[0]} (--killers FILE writes it)"
    elif answer.differs:
        yield "    no row was found that would have killed it"
    yield from (f"    told as a warning: {said}" for said in answer.told)
