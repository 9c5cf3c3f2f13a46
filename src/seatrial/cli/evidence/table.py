"""The evidence of a version on a terminal: what is assessed, one line each, and counts of the rest."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.text import Text

from seatrial.cli.inspect.render import table
from seatrial.formatting import number, plural
from seatrial.promotion.assurance.model import Evidence
from seatrial.sinks.text import neutral

SAID = 400  # characters of a reason


def show(evidence: Evidence) -> None:
    """Print the evidence; names and reasons reach the terminal as visible characters only."""
    console = Console()
    for line in lines(evidence):
        console.print(Text(line), soft_wrap=True)


def lines(evidence: Evidence) -> list[str]:
    """Return the evidence as lines of text."""
    run, score = evidence.run, evidence.ml_test_score
    statuses = Counter(each.status for each in evidence.nist.subcategories)
    coverage = Counter(each.coverage for each in score.tests)
    assessed = [each for each in evidence.nist.subcategories if each.status != "not assessed"]
    later = [f"Later verdicts that are not used: {plural(len(evidence.later), 'statement')}."] if evidence.later else []
    rows = [[each.id, each.status, neutral(each.says, SAID)] for each in assessed]
    tests = [[each.number, each.coverage, neutral(each.says, SAID)] for each in score.tests if each.coverage != "no"]
    return [
        f"{neutral(evidence.version.uri)}: {run.outcome}, signed {run.signed}, statement {run.number} "
        f"({evidence.digests.statement[:19]}…)",
        *(neutral(note, 600) for note in [*evidence.notes, *later]),
        "",
        f"NIST AI RMF 1.0: {', '.join(f'{count} {status}' for status, count in sorted(statuses.items()))}",
        *(table(["subcategory", "status", "what the results show, or why not"], rows) if rows else []),
        "",
        f"ML Test Score: {coverage['covered']} covered, {coverage['partly']} partly, {coverage['no']} no; score "
        f"{number(score.once)}, where validations run by themselves {number(score.automated)}",
        *(table(["test", "covered", "what it asks"], tests) if tests else []),
    ]
