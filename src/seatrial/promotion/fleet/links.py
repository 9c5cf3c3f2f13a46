"""The pages of other programs that show the versions of a status."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from seatrial.errors import SeatrialError
from seatrial.ledger import LOG
from seatrial.promotion.fleet.status import Row, Status
from seatrial.registry import Version
from seatrial.registry.pages import pages_of_many
from seatrial.sinks.links import Link

Pages = Mapping[str, Sequence[Link]]


def pages(status: Status) -> Pages:
    """Return the pages of each version that is shown, by its subject; those of runs only where the registry answers."""
    by_scheme = defaultdict[str, list[Row]](list)
    for row in status.rows:
        by_scheme[row.history.scheme].append(row)
    found = dict[str, Sequence[Link]]()
    for scheme, rows in by_scheme.items():
        try:
            links = pages_of_many(scheme, [(_version(row), _run(row)) for row in rows])
        except SeatrialError:  # the status must be there when a registry is not
            links = [()] * len(rows)
        found |= {row.history.subject: shown for row, shown in zip(rows, links, strict=True)}
    return found


def _version(row: Row) -> Version:
    known = row.history
    return Version(known.name, known.number, known.created, "", "", scheme=known.scheme)


def _run(row: Row) -> str:
    """Return the run that holds the newest verdict; empty where none is logged yet."""
    newest = row.history.verdict
    for validation in row.history.validations:
        if newest is not None and validation.verdict == newest:
            return next((each.result for each in validation.effects if each.kind == LOG and each.state == "done"), "")
    return ""
