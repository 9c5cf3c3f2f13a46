"""Which of the 28 tests of the ML Test Score a verdict covers, and the score as far as it shows."""

from __future__ import annotations

from fnmatch import fnmatchcase

from seatrial.pipeline import SERVICE
from seatrial.promotion.assurance import model
from seatrial.promotion.assurance.mapping import SECTIONS, MlTest, Needs, ml_tests
from seatrial.promotion.assurance.nist import Shown
from seatrial.promotion.assurance.results import GOOD, worst

ONCE, AUTOMATED = 0.5, 1.0  # points of a test by the paper: run by hand and documented, and run by itself
LEFT_OUT = (
    "Only tests that a signed verdict covers have points here; 'partly' has none. The paper's score is that of a team, "
    "which adds the points of its other tests: what seatrial cannot see counts 0 here."
)


def ml_test_score(shown: Shown, source: str) -> model.MlTestScore:
    """Return every test with its coverage, and the score: the fewest points of a section."""
    tests = tuple(_test(each, shown) for each in ml_tests())
    sections = []
    for name in SECTIONS:
        covered = sum(t.coverage == "covered" for t in tests if t.number.startswith(f"{name} "))
        sections.append(model.Section(name=name, once=ONCE * covered, automated=AUTOMATED * covered))
    return model.MlTestScore(
        source=source, tests=tests, sections=tuple(sections), once=min(s.once for s in sections),
        automated=min(s.automated for s in sections), says=LEFT_OUT,
    )  # fmt: skip


def _test(test: MlTest, shown: Shown) -> model.MlTest:
    coverage: model.Coverage = "no"
    reason, results = test.no, tuple[str, ...]()
    for needs, name in ((test.partly, "partly"), (test.covered, "covered")):
        if needs is None:
            continue
        found = _found(needs, shown)
        if not found:
            continue
        results = tuple(each.id for each in found)
        if problem := _problem(found, shown):
            coverage, reason = "no", problem
        elif _measured(needs, found):
            coverage, reason = ("covered", "") if name == "covered" else ("partly", needs.because)
    return model.MlTest(number=test.number, says=test.says, coverage=coverage, reason=reason, results=results)


def _found(needs: Needs, shown: Shown) -> tuple[model.Result, ...]:
    found = shown.of(needs.checks, needs.declares)
    if needs.stages == "service":
        return tuple(each for each in found if each.stage == SERVICE)
    if needs.stages == "dependencies":
        return tuple(each for each in found if each.stage in shown.dependencies)
    return found


def _problem(found: tuple[model.Result, ...], shown: Shown) -> str:
    """Return why results that are there cover nothing; empty where they do."""
    if (gravest := worst(found)) != "passed":
        first = next(each for each in found if each.state not in GOOD)
        return f"It ran, and {first.id} {'failed' if gravest == 'failed' else 'was not evaluated'}."
    return shown.not_counted(found)


def _measured(needs: Needs, found: tuple[model.Result, ...]) -> bool:
    names = [number.name for each in found for number in each.numbers]
    return not needs.measured or any(fnmatchcase(name, pattern) for pattern in needs.measured for name in names)
