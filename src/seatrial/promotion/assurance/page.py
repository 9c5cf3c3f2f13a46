"""The evidence of a version as one HTML page: self-contained, without scripts, in the style of the report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from seatrial.promotion.assurance.model import Evidence
from seatrial.sinks.page import beside

SHOWN = 500  # rows of a table
NUMBERS = 40  # of one result
SLUGS = {  # the style of each state and status; the words are always there too
    "passed": "passed", "warning": "passed", "covered": "passed", "partly supported": "passed", "partly": "downstream",
    "failed": "origin", "failed (origin)": "origin", "downstream": "downstream", "inconclusive": "not-evaluated",
    "not evaluated": "not-evaluated", "not counted": "not-evaluated", "not assessed": "not-run", "no": "not-run",
}  # fmt: skip


def render(evidence: Evidence) -> str:
    """Return the page. The same evidence always gives the same page."""
    subcategories = evidence.nist.subcategories
    content = {
        "evidence": evidence,
        "assessed": [each for each in subcategories if each.status != "not assessed"],
        "others": [each for each in subcategories if each.status == "not assessed"],
        "counts": Counter(each.status for each in subcategories),
        "coverage": Counter(each.coverage for each in evidence.ml_test_score.tests),
        "anchors": {each.id: f"result-{n}" for n, each in enumerate(evidence.results, 1)},
        "shown": SHOWN,
        "most": NUMBERS,
    }
    return beside.render(Path(__file__).parent, SLUGS, 700, content)
