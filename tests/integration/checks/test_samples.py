"""Stages that answer differently each time: judged by their rate of agreement, with three outcomes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from seatrial import Pipeline, Samples, Stage, capture
from seatrial.checks.expectations.agreement import agreement, judge_agreement
from seatrial.checks.expectations.rates import Rate, clopper_pearson, rate_of
from seatrial.checks.golden.check import run as golden
from seatrial.checks.invariants.check import run as invariants
from seatrial.events import Evaluated, Finding, NotEvaluated, Severity
from seatrial.parity.compare import Tolerance
from seatrial.policy.policy import Policy
from seatrial.policy.stages import StagePolicy
from seatrial.trial import Trial

REQUESTS = pd.DataFrame({"id": [f"r{i}" for i in range(60)], "x": np.arange(60.0)})
WORDS = np.array(["good", "fine", "nice"])


def same(frame):
    return frame


def made(weights=(0.6, 0.35, 0.05), seed=0, n=5, at_least=0.8, after=None, **settings):
    rng = np.random.default_rng(seed)

    def text(frame):
        return frame[["id"]].assign(text=WORDS[rng.choice(3, size=len(frame), p=weights)])

    stage = Stage(text, samples=Samples(n, at_least=at_least), **settings)
    return Pipeline("p", key="id", raw=same, text=stage, **({"after": after} if after else {}))


REFERENCE = capture(made(), REQUESTS)


def judged(pipeline, reference=REFERENCE, policy=None):
    events = list(judge_agreement(Trial(pipeline, reference, policy=policy), "text", "expectations"))
    assert sum(e.compared for e in events if isinstance(e, Evaluated)) > 0
    errors = [e for e in events if isinstance(e, Finding) and e.severity is Severity.ERROR]
    return errors, [e for e in events if isinstance(e, NotEvaluated)]


def test_the_bounds_are_those_of_clopper_and_pearson():
    """As scipy's exact interval, for every count."""
    from scipy.stats import binomtest

    for agree in range(21):
        exact = binomtest(agree, 20).proportion_ci(0.9, method="exact")
        assert clopper_pearson(agree, 20, 0.05) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_clean_stage_passes_and_a_broken_one_fails(seed):
    """Well above the rate passes, well below fails, and the finding names the column."""
    assert judged(made(seed=seed)) == ([], [])
    errors, unclear = judged(made((0.1, 0.1, 0.8), seed=seed))
    assert not unclear
    assert [(e.column, e.cause) for e in errors] == [("text", "agreement")]
    assert "At least 80 % is required" in errors[0].message


def test_between_the_two_it_is_inconclusive_and_says_what_would_tell():
    """Never a pass on a point estimate."""
    errors, (unclear,) = judged(made((0.5, 0.3, 0.2), seed=2))
    assert not errors
    assert "neither show nor exclude" in unclear.reason
    assert "answers would tell" in unclear.reason or "No practicable number" in unclear.reason


def test_what_would_tell_tells():
    """At the rate that was seen, the number that is named decides."""
    rate = Rate(85, 100, Samples(5, at_least=0.8))
    assert rate.decision == "inconclusive"
    assert rate.needed
    assert Rate(round(0.85 * rate.needed), rate.needed, rate.samples).decision == "pass"
    assert Rate(80, 100, Samples(5, at_least=0.8)).needed is None


def test_all_of_them_can_be_required():
    """With at_least=1 no lower bound can reach it: one that disagrees fails, none passes."""
    assert Rate(50, 50, Samples(5, at_least=1.0)).decision == "pass"
    assert Rate(49, 50, Samples(5, at_least=1.0)).decision == "fail"
    assert Rate(0, 0, Samples(5, at_least=1.0)).decision == "inconclusive"


def test_a_reference_that_does_not_agree_with_itself_is_inconclusive_and_never_a_failure():
    """Numbers that never repeat: the advice is a tolerance, and with it they are judged."""
    rng = np.random.default_rng(0)

    def draw(frame):
        return frame[["id"]].assign(text=rng.normal(10.0, 0.01, len(frame)))

    pipeline = Pipeline("p", key="id", raw=same, text=Stage(draw, samples=Samples(5)))
    reference = capture(pipeline, REQUESTS)
    errors, (unclear,) = judged(pipeline, reference)
    assert not errors
    assert "no version could pass" in unclear.reason
    policy = Policy({"text": StagePolicy(tolerances={"text": Tolerance(atol=0.05)})})
    assert judged(pipeline, reference, policy) == ([], [])
    moved = Pipeline("p", key="id", raw=same, text=Stage(lambda f: draw(f).assign(text=9.0), samples=Samples(5)))
    assert [e.column for e in judged(moved, reference, policy)[0]] == ["text"]


def test_missing_rows_do_not_agree():
    """A row that the answer lacks and every recorded answer has is a disagreement in every column."""
    recorded = [pd.DataFrame({"id": ["a", "b"], "x": [1, 2]})] * 5
    found = agreement([recorded[0].head(1)], recorded, ("id",), {})
    assert found["x"].tolist() == [[True, False]]
    more = pd.DataFrame({"id": ["a", "b", "c"], "x": [1, 2, 3]})
    assert agreement([more], recorded, ("id",), {})["x"].tolist() == [[True, True, False]]


def test_a_column_that_is_missing_is_an_error():
    """Columns are not sampled."""
    pipeline = made()
    renamed = Stage(lambda f: f[["id"]].assign(words="good"), samples=Samples(5, at_least=0.8))
    errors, _ = judged(Pipeline("p", key="id", raw=same, text=renamed), capture(pipeline, REQUESTS))
    assert {e.cause for e in errors} >= {"missing-column", "extra-column"}


def test_answers_of_one_call_that_depend_on_each_other_count_for_fewer():
    """Three calls that agree in full and two that do not are five observations, not five hundred."""
    calls = np.array([[True] * 100] * 3 + [[False] * 100] * 2)
    assert rate_of(calls, Samples(5), 1).of < 10
    assert rate_of(np.random.default_rng(0).random((5, 100)) < 0.6, Samples(5), 1).of == 500


def test_calls_bounds_how_often_it_is_asked():
    """A dear stage is asked no more often than it says."""
    asked = []

    def text(frame):
        asked.append(len(frame))
        return frame[["id"]].assign(text="good")

    pipeline = Pipeline("p", key="id", raw=same, text=Stage(text, samples=Samples(6, at_least=0.8), calls=3))
    reference = capture(pipeline, REQUESTS)
    asked.clear()
    assert judged(pipeline, reference) == ([], [])
    assert len(asked) == 3


def test_golden_and_invariants_compare_no_values_of_it_or_behind_it_and_say_so():
    """Keys, columns and types are compared; the stage behind is exact on its recorded input."""

    def after(frame):
        return frame.assign(length=frame["text"].str.len())

    reference = capture(made(after=after), REQUESTS)
    trial = Trial(made(after=after, seed=9), reference)
    for events in (golden(trial, "text"), golden(trial, "after"), invariants(trial, "text")):
        found = [e for e in events if isinstance(e, Finding) and e.cause != "process-not-run"]
        assert {(e.severity, e.cause) for e in found} == {(Severity.INFO, "sampled")}
    assert trial.parity("after").ok
    broken = Trial(made(after=lambda f: f.assign(length=0)), reference)
    assert not broken.parity("after").ok
    dropped = Trial(made(after=lambda f: after(f).head(50), seed=9), reference)
    assert [e.cause for e in golden(dropped, "after") if isinstance(e, Finding) and e.severity is Severity.ERROR]
