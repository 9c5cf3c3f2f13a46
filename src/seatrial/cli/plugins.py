"""What ``seatrial plugins`` does: list the installed extensions; none of them is imported."""

from __future__ import annotations

from dataclasses import asdict
from json import dumps

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seatrial.cli.conventions import Flag
from seatrial.errors import EXIT_PASS
from seatrial.plugins import listed
from seatrial.sinks.text import neutral


def plugins(*, json: Flag = False) -> int:
    """List the installed extensions: checks, targets, faults, sinks, registries, trackers, fixture sources.

    Args:
        json: print JSON.
    """
    out = Console()
    extensions = listed()
    if json:
        text = dumps([asdict(each) for each in extensions], indent=2)
        out.print(text, markup=False, highlight=False, soft_wrap=True)
        return EXIT_PASS
    table = Table(box=box.SIMPLE_HEAD if "utf" in (out.encoding or "").lower() else box.ASCII, pad_edge=False)
    for column in ("kind", "name", "package", "version"):
        table.add_column(column, overflow="fold")
    kind = ""
    for each in extensions:
        if kind and each.kind != kind:
            table.add_section()
        kind = each.kind
        table.add_row(*(Text(neutral(cell, 100)) for cell in (each.kind, each.name, each.package, each.version)))
    out.print(table)
    return EXIT_PASS
