"""The evidence of a version as one HTML page: self-contained, without scripts, in the style of the report."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from seatrial import sinks
from seatrial.formatting import number, plural
from seatrial.promotion.assurance.model import Evidence
from seatrial.sinks.text import neutral

SHOWN = 500  # rows of a table
NUMBERS = 40  # of one result
SLUGS = {  # the style of each state and status; the words are always there too
    "passed": "passed", "warning": "passed", "covered": "passed", "partly supported": "passed", "partly": "downstream",
    "failed": "origin", "failed (origin)": "origin", "downstream": "downstream", "inconclusive": "not-evaluated",
    "not evaluated": "not-evaluated", "not counted": "not-evaluated", "not assessed": "not-run", "no": "not-run",
}  # fmt: skip


def render(evidence: Evidence) -> str:
    """Return the page. The same evidence always gives the same page."""
    here = Path(__file__).parent
    report = Path(sinks.__file__).parent / "page" / "report.css"
    style = "".join(path.read_text(encoding="utf-8") for path in (report, here / "page.css"))
    environment = Environment(
        loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_neutral,
    )  # fmt: skip
    environment.filters |= {"number": number, "plural": plural, "short": neutral, "slug": SLUGS.__getitem__}
    subcategories = evidence.nist.subcategories
    return environment.get_template("page.html.j2").render(
        evidence=evidence,
        assessed=[each for each in subcategories if each.status != "not assessed"],
        others=[each for each in subcategories if each.status == "not assessed"],
        counts=Counter(each.status for each in subcategories),
        coverage=Counter(each.coverage for each in evidence.ml_test_score.tests),
        anchors={each.id: f"result-{n}" for n, each in enumerate(evidence.results, 1)},
        style=Markup(style),  # noqa: S704  our own file; the content security policy admits its hash alone
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        seatrial=metadata.version("seatrial"),
        shown=SHOWN,
        most=NUMBERS,
    )


def _neutral(value: Any) -> Any:
    """Pass numbers and our own markup; everything else that the template prints is made neutral, then escaped."""
    return value if isinstance(value, Markup | int | float) else neutral(value, 700)
