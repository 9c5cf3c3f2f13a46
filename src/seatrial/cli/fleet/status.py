"""``seatrial status``: every version, its verdict, and what is still to be done about it."""

from __future__ import annotations

import json
from pathlib import Path

from seatrial.cli.conventions import Json
from seatrial.cli.fleet.opening import opened
from seatrial.errors import EXIT_PASS
from seatrial.io.files import atomic_write
from seatrial.promotion.fleet import text
from seatrial.promotion.fleet.status import read


def status(
    model: str = "", *, most: int = 50, html: Path | None = None, project: Path = Path(), as_json: Json = False
) -> int:
    """Show every version with its verdict, and what waits, is parked, or is out of date.

    Args:
        model: registered model; empty: all.
        most: show at most this many versions: those that need a person, then the newest; 0: all.
        html: write a page that can be read offline to this file.
        project: project directory.
        as_json: print JSON.
    """
    with opened(project) as (here, ledger):
        found = read(ledger, here, model=model, most=most)
    if html is not None:
        from seatrial.promotion.fleet.links import pages
        from seatrial.promotion.fleet.page import render

        atomic_write(html, render(found, pages(found)).encode("utf-8", "replace"))
    if as_json:
        print(json.dumps(text.body(found), indent=2))  # noqa: T201
    elif html is None:
        print("\n".join(text.lines(found)))  # noqa: T201
    return EXIT_PASS
