"""The status as Markdown, for pages of other programs such as Prefect."""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.promotion.fleet.links import Pages
from seatrial.promotion.fleet.status import Group, Row, Status
from seatrial.promotion.fleet.text import summary
from seatrial.promotion.fleet.words import moment
from seatrial.sinks.links import links_markdown
from seatrial.sinks.markdown import literal

ROOM = 100_000  # characters of the tables: what does not fit is counted
HEAD = ("| Version | Verdict | When (UTC) | Code | Policy | To do | Pages |", "|---|---|---|---|---|---|---|")


def render(status: Status, pages: Pages) -> str:
    """Return the page, of a bounded size.

    Args:
        status: as it was read.
        pages: of each version, by its subject.
    """
    found = [" ".join(literal(line, 1_000) for line in summary(status)), "", f"As of {moment(status.at)}.", ""]
    left = ROOM
    for group in Group:
        rows, shown = status.of(group), list[str]()
        for row in rows:
            line = _line(row, pages)
            if len(line) > left:
                left = 0
                break
            left -= len(line)
            shown.append(line)
        if not status.groups[group]:
            continue
        found += [f"### {group.value.capitalize()}: {status.groups[group]:,}", ""]
        found += [*HEAD, *shown, ""] if shown else []
        if more := status.groups[group] - len(shown):
            found += [f"{more:,} more are not shown here. All of them: `seatrial status --most 0`", ""]
    return "\n".join(found)


def _line(row: Row, pages: Pages) -> str:
    name, verdict, at, code, policy = row.cells
    digests = [f"`{each}`" if each else "" for each in (code, policy)]
    links = links_markdown(pages.get(row.history.subject, ()))
    return _row([literal(name), verdict, at, *digests, "<br>".join(literal(note, 400) for note in row.notes), links])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
