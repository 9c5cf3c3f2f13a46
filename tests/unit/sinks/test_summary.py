"""The summary on top of the report: four sentences for a reader who does not know the pipeline."""

from __future__ import annotations

from seatrial.events import Outcome
from seatrial.sinks.page.summary import sentences
from tests.unit.sinks.test_sinks import HOUR, SCORE, VERDICTS, verdict


def test_a_failure_says_what_broke_where_what_it_affects_and_what_to_do() -> None:
    assert sentences(verdict(HOUR, SCORE)) == (
        "payments-fraud version 7 was compared with its training-time reference at 5 places of the path: 25,213 "
        "comparisons.",
        "One cause was found, at stage “features”, column “hour”.",
        "It changes what comes after it: “prediction”.",
        "The version is not promoted. Next: Parse the time as UTC before taking the hour.",
    )


def test_every_outcome_has_sentences_and_says_whether_to_promote() -> None:
    for outcome, made in VERDICTS.items():
        told = sentences(made)
        assert 2 <= len(told) <= 4
        assert ("may be promoted" in told[-1]) == (outcome is Outcome.PASS)
        assert "not promoted" in told[-1] or outcome is Outcome.PASS


def test_what_could_not_be_evaluated_is_no_fault() -> None:
    told = sentences(VERDICTS[Outcome.INCONCLUSIVE])
    assert told[1] == "No fault was found, but 1 planned check could not be evaluated, so nothing can be said for sure."
