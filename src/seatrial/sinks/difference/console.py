"""The difference of two files on a terminal: the columns that differ, what else does, and one line of summary."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seatrial.formatting import number, plural
from seatrial.sinks.difference.result import Difference, cause, largest
from seatrial.sinks.text import neutral

SHOWN = 50  # columns
_STYLES = {"same": "bold green", "different": "bold red", "not compared": "bold yellow"}


def show(difference: Difference, console: Console, *, brief: bool = False) -> None:
    """Print the difference; text from the files reaches the terminal as visible characters only.

    Args:
        difference: of the two files.
        console: to print on.
        brief: the summary alone.
    """
    encoding = console.encoding or "ascii"

    def printable(text: object, limit: int = 300) -> str:
        return neutral(text, limit).encode(encoding, "backslashreplace").decode(encoding)

    if not brief:
        if difference.columns:
            console.print(_table(difference, printable, unicode="utf" in encoding.lower()))
        for sentence in (*difference.differences, *difference.notes):
            console.print(Text(printable(sentence, 600)), soft_wrap=True)
    line = Text(printable(difference.summary, 1200), style=_STYLES[difference.outcome])
    console.print(line, soft_wrap=True)


def _table(difference: Difference, printable: object, *, unicode: bool) -> Table:
    assert callable(printable)
    table = Table(box=box.SIMPLE_HEAD if unicode else box.ASCII, header_style="bright_black", pad_edge=False,
                  padding=(0, 1, 0, 0))  # fmt: skip
    table.add_column("column", overflow="fold", min_width=8)
    for name in ("rows", "differ", "null flips", "largest"):
        table.add_column(name, justify="right", no_wrap=name != "null flips")
    table.add_column("cause", overflow="fold", ratio=2)
    table.add_column("first keys", overflow="fold", ratio=1)
    for column in difference.columns[:SHOWN]:
        size = largest(column)
        table.add_row(
            Text(printable(column.column, 80)), f"{column.rows:,}", f"{column.mismatches:,}",
            f"{column.null_flips:,}", "" if size is None else number(size),
            Text(printable(cause(column), 300)), Text(printable(", ".join(column.worst_keys[:3]), 120)),
        )  # fmt: skip
    if (more := len(difference.columns) - SHOWN) > 0:
        table.caption = Text(f"and {plural(more, 'more column')}; --json FILE lists all")
    return table
