"""The status as one HTML page: self-contained, without scripts, in the style of the report."""

from __future__ import annotations

from pathlib import Path

from seatrial.promotion.fleet.links import Pages
from seatrial.promotion.fleet.status import Group, Status
from seatrial.promotion.fleet.text import summary
from seatrial.promotion.fleet.words import moment
from seatrial.sinks.page import beside

SLUGS = {"pass": "passed", "fail": "origin", "inconclusive": "downstream", "error": "not-evaluated", "none": "not-run"}
TONES = {Group.ATTENTION: "fail", Group.PROGRESS: "inconclusive", Group.REST: "pass"}


def render(status: Status, pages: Pages) -> str:
    """Return the page. The same status always gives the same page.

    Args:
        status: as it was read.
        pages: of each version, by its subject; addresses that are not of the web are left out.
    """
    most_urgent = next((group for group in Group if status.groups[group]), Group.REST)
    content = {
        "status": status,
        "groups": list(Group),
        "tone": TONES[most_urgent],
        "pages": {
            subject: [link for link in links if link.address.startswith(("http://", "https://"))]
            for subject, links in pages.items()
        },
        "summary": summary(status),
        "at": moment(status.at),
    }
    return beside.render(Path(__file__).parent, SLUGS, 1_000, content)
