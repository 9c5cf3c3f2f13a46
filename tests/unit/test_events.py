"""The verdict is the sum of its events; its summary and its JSON follow from it alone."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from seatrial.events import (
    Attachment,
    Case,
    Evaluated,
    Finding,
    Measurement,
    NotEvaluated,
    Outcome,
    Severity,
    Subject,
    total,
)

PATH = ("raw", "store", "features", "prediction")
PLANNED = (Case("golden", "features"),)
EVALUATED = Evaluated("golden", "features", compared=10)


def summed(*events, planned=PLANNED):
    return total(events, subject=Subject("p"), path=PATH, planned=planned)


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([EVALUATED], "pass"),
        ([EVALUATED, Finding("golden", "features", "odd", severity=Severity.WARNING)], "pass"),
        ([EVALUATED, Finding("golden", "features", "odd", severity=Severity.INFO)], "pass"),
        ([EVALUATED, Finding("golden", "features", "wrong")], "fail"),
        ([EVALUATED, Finding("golden", "features", "wrong", downstream=True)], "fail"),
        ([Finding("golden", "features", "wrong"), NotEvaluated("golden", "features", "broke", crashed=True)], "fail"),
        ([EVALUATED, NotEvaluated("load", None, "broke", crashed=True)], "error"),
        ([NotEvaluated("load", None, "no"), NotEvaluated("load", None, "broke", crashed=True)], "error"),
        ([EVALUATED, NotEvaluated("load", None, "too few queries")], "inconclusive"),
        ([Evaluated("golden", "features", compared=0)], "inconclusive"),
        ([Evaluated("golden", "features", compared=-1)], "inconclusive"),
        ([Evaluated("golden", None, compared=10)], "inconclusive"),
        ([Evaluated("other", "features", compared=10)], "inconclusive"),
        ([Measurement("golden", "features", "share", 0.0)], "inconclusive"),
        ([], "inconclusive"),
    ],
)
def test_the_outcome_follows_from_the_events(events, outcome):
    """An error finding fails; a crash is an error; a case without a result is inconclusive; all else passes."""
    verdict = summed(*events)
    assert verdict.outcome == outcome
    assert verdict.exit_code == verdict.outcome.exit_code == {"pass": 0, "fail": 1}.get(outcome, 2)


def test_a_run_without_planned_cases_does_not_pass():
    """A run without events, and one with the result of a case that was not planned."""
    assert summed(planned=()).outcome is Outcome.INCONCLUSIVE
    assert summed(EVALUATED, planned=()).outcome is Outcome.INCONCLUSIVE


def test_the_first_failing_stage_is_the_first_origin():
    """It is the earliest place of the path where an error originates; downstream errors do not count."""
    verdict = summed(
        EVALUATED,
        Finding("golden", "features", "downstream", downstream=True),
        Finding("golden", "prediction", "originates here", column="score"),
        Finding("golden", "raw", "odd", severity=Severity.WARNING),
    )
    assert verdict.first_failing_stage == "prediction"
    assert [f.message for f in verdict.errors] == ["originates here", "downstream"]
    assert verdict.summary == "fail at stage 'prediction', column 'score': originates here"
    assert summed(Finding("contract", None, "breaking")).summary == "fail: breaking"
    assert summed(Finding("contract", None, "breaking")).first_failing_stage is None
    assert summed(EVALUATED).first_failing_stage is None


def test_a_dependency_fails_before_the_stage_that_uses_it():
    """The places of the path are in order, dependencies among them."""
    verdict = summed(Finding("golden", "features", "wrong"), Finding("expectations", "store", "stale"))
    assert verdict.first_failing_stage == "store"


def test_the_summary_states_the_most_important_reason():
    """A crash comes before a case that was not evaluated."""
    assert summed(EVALUATED).summary == "pass: 1 case, 10 comparisons"
    assert summed(NotEvaluated("load", None, "few")).summary.startswith("inconclusive: few")
    crashed = summed(NotEvaluated("load", None, "few"), NotEvaluated("golden", None, "it broke", crashed=True))
    assert crashed.summary == "error: it broke"


def test_json_is_strict_whatever_a_finding_carries():
    """NaN, infinity, NumPy's scalars, sets, lone surrogates and unknown objects become plain JSON."""
    evidence = {
        "nan": math.nan, "inf": -math.inf, "n": np.int64(3), "f": np.float32("nan"), "flag": np.bool_(True),
        "keys": ("a", "\ud800"), "set": {1}, 5: None, "other": Outcome, "nested": {"deep": [np.nan]},
    }  # fmt: skip
    verdict = summed(
        EVALUATED,
        Finding("golden", "features", "</script>\x1b[31m\ud800", evidence=evidence),
        Measurement("golden", "features", "share", math.nan),
        Attachment("golden", "features", "suite.json", b"{}"),
    )

    def refuse(constant):
        raise AssertionError(constant)

    body = json.loads(verdict.to_json().encode("utf-8"), parse_constant=refuse)
    written = body["findings"][0]["evidence"]
    assert (written["n"], written["flag"], written["5"], written["set"]) == (3, True, None, [1])
    assert (written["nan"], written["inf"], written["nested"]["deep"]) == ("nan", "-inf", ["nan"])
    assert body["findings"][0]["severity"] == "error"
    assert (body["outcome"], body["first_failing_stage"]) == ("fail", "features")
    assert body["summary"].startswith("fail at stage 'features'")


def test_events_cannot_be_changed():
    """Events and verdicts are immutable."""
    for event in (EVALUATED, Finding("a", None, "b"), NotEvaluated("a", None, "b"), Case("a"), summed(EVALUATED)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            event.check = "other"


def test_cases_and_subjects_have_names_for_people():
    """They are shown on dashboards."""
    assert (str(Case("golden", "raw")), str(Case("contract"))) == ("raw · golden", "contract")
    assert (str(Subject("p", "3")), str(Subject("p"))) == ("p version 3", "p")


def test_a_pass_tells_in_its_first_line_what_is_not_known():
    """OpenAPI changes that may or may not break are told beside the counts, and not in the findings alone."""
    undecided = Measurement("contract", "service", "openapi unknown changes", 3)
    assert summed(EVALUATED, undecided).summary == (
        "pass: 1 case, 10 comparisons; it is not known whether 3 OpenAPI changes break callers"
    )
    none = Measurement("contract", "service", "openapi unknown changes", 0)
    assert summed(EVALUATED, none).summary == "pass: 1 case, 10 comparisons"
