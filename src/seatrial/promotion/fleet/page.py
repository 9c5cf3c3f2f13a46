"""The status as one HTML page: self-contained, without scripts, in the style of the report."""

from __future__ import annotations

import base64
import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from seatrial import sinks
from seatrial.formatting import number, plural
from seatrial.promotion.fleet.links import Pages
from seatrial.promotion.fleet.status import Group, Status
from seatrial.promotion.fleet.text import summary
from seatrial.promotion.fleet.words import moment
from seatrial.sinks.text import neutral

SLUGS = {"pass": "passed", "fail": "origin", "inconclusive": "downstream", "error": "not-evaluated", "none": "not-run"}
TONES = {Group.ATTENTION: "fail", Group.PROGRESS: "inconclusive", Group.REST: "pass"}


def render(status: Status, pages: Pages) -> str:
    """Return the page. The same status always gives the same page.

    Args:
        status: as it was read.
        pages: of each version, by its subject; addresses that are not of the web are left out.
    """
    here = Path(__file__).parent
    report = Path(sinks.__file__).parent / "page" / "report.css"
    style = "".join(path.read_text(encoding="utf-8") for path in (report, here / "page.css"))
    environment = Environment(
        loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_neutral,
    )  # fmt: skip
    environment.filters |= {"number": number, "plural": plural, "slug": SLUGS.__getitem__, "short": neutral}
    most_urgent = next((group for group in Group if status.groups[group]), Group.REST)
    return environment.get_template("page.html.j2").render(
        status=status,
        groups=list(Group),
        tone=TONES[most_urgent],
        pages={
            subject: [link for link in links if link.address.startswith(("http://", "https://"))]
            for subject, links in pages.items()
        },
        summary=summary(status),
        at=moment(status.at),
        style=Markup(style),  # noqa: S704  our own file; the content security policy admits its hash alone
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        seatrial=metadata.version("seatrial"),
    )


def _neutral(value: Any) -> Any:
    """Pass numbers and our own markup; everything else that the template prints is made neutral, then escaped."""
    return value if isinstance(value, Markup | int | float) else neutral(value, 1_000)
