"""The verdict is the sum of its events; its words and its JSON follow from it alone."""

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
ASKED = (Case("golden", "features"),)
ANSWER = Evaluated("golden", "features", compared=10)


def summed(*events, planned=ASKED):
    return total(events, subject=Subject("p"), path=PATH, planned=planned)


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([ANSWER], "pass"),
        ([ANSWER, Finding("golden", "features", "odd", severity=Severity.WARNING)], "pass"),
        ([ANSWER, Finding("golden", "features", "odd", severity=Severity.INFO)], "pass"),
        ([ANSWER, Finding("golden", "features", "wrong")], "fail"),
        ([ANSWER, Finding("golden", "features", "wrong", downstream=True)], "fail"),
        ([Finding("golden", "features", "wrong"), NotEvaluated("golden", "features", "broke", crashed=True)], "fail"),
        ([ANSWER, NotEvaluated("load", None, "broke", crashed=True)], "error"),
        ([NotEvaluated("load", None, "no"), NotEvaluated("load", None, "broke", crashed=True)], "error"),
        ([ANSWER, NotEvaluated("load", None, "too few queries")], "inconclusive"),
        ([Evaluated("golden", "features", compared=0)], "inconclusive"),
        ([Evaluated("golden", "features", compared=-1)], "inconclusive"),
        ([Evaluated("golden", None, compared=10)], "inconclusive"),
        ([Evaluated("other", "features", compared=10)], "inconclusive"),
        ([Measurement("golden", "features", "share", 0.0)], "inconclusive"),
        ([], "inconclusive"),
    ],
)
def test_the_outcome_follows_from_the_events(events, outcome):
    """An error finding fails; a crash is an error; an open question is inconclusive; nothing else passes."""
    verdict = summed(*events)
    assert verdict.outcome == outcome
    assert verdict.exit_code == verdict.outcome.exit_code == {"pass": 0, "fail": 1}.get(outcome, 2)


def test_no_question_is_no_pass():
    """A verdict of nothing, and answers that nobody asked for."""
    assert summed(planned=()).outcome is Outcome.INCONCLUSIVE
    assert summed(ANSWER, planned=()).outcome is Outcome.INCONCLUSIVE


def test_the_first_failing_stage_is_where_an_error_was_born():
    """The earliest place on the path with an error of its own; what came down to it does not count."""
    verdict = summed(
        ANSWER,
        Finding("golden", "features", "came down", downstream=True),
        Finding("golden", "prediction", "born later", column="score"),
        Finding("golden", "raw", "odd", severity=Severity.WARNING),
    )
    assert verdict.first_failing_stage == "prediction"
    assert [f.message for f in verdict.errors] == ["born later", "came down"]
    assert verdict.summary == "fail at stage 'prediction', column 'score': born later"
    assert summed(Finding("contract", None, "breaking")).summary == "fail: breaking"
    assert summed(Finding("contract", None, "breaking")).first_failing_stage is None
    assert summed(ANSWER).first_failing_stage is None


def test_a_dependency_fails_before_the_stage_that_asks_it():
    """Places of the path are in order, dependencies among them."""
    verdict = summed(Finding("golden", "features", "wrong"), Finding("expectations", "store", "stale"))
    assert verdict.first_failing_stage == "store"


def test_the_summary_says_the_strongest_reason():
    """A crash comes before evidence that is not there."""
    assert summed(ANSWER).summary == "pass: 1 questions asked, 10 comparisons"
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
        ANSWER,
        Finding("golden", "features", "</script>\x1b[31m\ud800", evidence=evidence),
        Measurement("golden", "features", "share", math.nan),
        Attachment("golden", "features", "suite.json", b"{}"),
    )

    def refuse(constant):
        raise AssertionError(constant)

    body = json.loads(verdict.to_json().encode("utf-8"), parse_constant=refuse)
    told = body["findings"][0]["evidence"]
    assert (told["n"], told["flag"], told["5"], told["set"]) == (3, True, None, [1])
    assert (told["nan"], told["inf"], told["nested"]["deep"]) == ("nan", "-inf", ["nan"])
    assert body["findings"][0]["severity"] == "error"
    assert (body["outcome"], body["first_failing_stage"]) == ("fail", "features")
    assert body["summary"].startswith("fail at stage 'features'")


def test_events_cannot_be_changed():
    """What was said stays said."""
    for event in (ANSWER, Finding("a", None, "b"), NotEvaluated("a", None, "b"), Case("a"), summed(ANSWER)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            event.check = "other"


def test_questions_and_subjects_have_names_for_people():
    """As they stand in a dashboard."""
    assert (str(Case("golden", "raw")), str(Case("contract"))) == ("raw · golden", "contract")
    assert (str(Subject("p", "3")), str(Subject("p"))) == ("p version 3", "p")
