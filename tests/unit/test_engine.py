"""Every planned case is evaluated, or the run does not pass."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

from seatrial import Check, Outcome, Pipeline, Severity, Sink, Subject, Trial, capture, run
from seatrial.checks.base import every_stage
from seatrial.checks.engine import plan, run_case, verdict_of
from seatrial.errors import PipelineError, ReferenceInvalid, StageError, UsageError
from seatrial.events import Case, Evaluated, Finding, Measurement, NotEvaluated
from seatrial.policy.policy import Policy
from seatrial.policy.service import service_settings

REQUESTS = pd.DataFrame({"id": [f"t-{i}" for i in range(8)], "x": range(8)})


def same(frame):
    return frame


def doubled(frame):
    return frame.assign(x=frame["x"] * 2)


PIPELINE = Pipeline("p", key="id", raw=same, features=doubled)


@pytest.fixture(scope="module")
def reference():
    return capture(PIPELINE, REQUESTS)


def check_of(body, stages=every_stage, name="own") -> Check:
    return Check(name, body, stages)


def evaluated(trial, stage):
    yield Evaluated("own", stage, compared=3)


def silent(trial, stage):
    yield from ()


def talkative(trial, stage):
    yield Measurement("own", stage, "share", 0.5)
    yield Finding("own", stage, "odd", severity=Severity.WARNING)


def nothing(trial, stage):
    yield Evaluated("own", stage, compared=0)


def elsewhere(trial, stage):
    yield Evaluated("own", "other", compared=3)


def half(trial, stage):
    if stage == "raw":
        yield Evaluated("own", stage, compared=3)


def not_evaluated(trial, stage):
    yield Evaluated("own", stage, compared=3)
    yield NotEvaluated("own", stage, "the fault did not fire")


def crashes(trial, stage):
    yield Evaluated("own", stage, compared=3)
    raise ValueError("secret value of alice")


def quits(trial, stage):
    yield Evaluated("own", stage, compared=3)
    sys.exit(0)


def refuses(trial, stage):
    raise PipelineError("Dependency 'store' cannot be reached")
    yield


def returns_none(trial, stage):
    return None


def stage_breaks(trial, stage):
    raise StageError("features", "Stage 'features' raised KeyError 'x'")
    yield


def finds(trial, stage):
    yield Finding("own", stage, "wrong", column="x")
    yield Evaluated("own", stage, compared=3)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (evaluated, Outcome.PASS),
        (silent, Outcome.INCONCLUSIVE),
        (talkative, Outcome.INCONCLUSIVE),
        (nothing, Outcome.INCONCLUSIVE),
        (elsewhere, Outcome.INCONCLUSIVE),
        (half, Outcome.INCONCLUSIVE),
        (not_evaluated, Outcome.INCONCLUSIVE),
        (crashes, Outcome.ERROR),
        (quits, Outcome.ERROR),
        (refuses, Outcome.ERROR),
        (returns_none, Outcome.ERROR),
        (stage_breaks, Outcome.FAIL),
        (finds, Outcome.FAIL),
    ],
)
def test_only_an_evaluated_case_passes(body, outcome, reference):
    """No event, nothing compared, the result of another case, a crash, an exit: none is a pass."""
    verdict = run(PIPELINE, reference, [check_of(body)])
    assert verdict.outcome is outcome
    assert verdict.exit_code == {Outcome.PASS: 0, Outcome.FAIL: 1}.get(outcome, 2)


def test_a_silent_check_is_not_covered_by_its_namesake(reference):
    """Two checks of one name are two cases; the result of the first does not count for the second."""
    verdict = run(PIPELINE, reference, [check_of(evaluated), check_of(silent)])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert {u.reason for u in verdict.not_evaluated} == {"The check ended without a result."}


@pytest.mark.parametrize("checks", [[], [check_of(evaluated, stages=lambda trial: ())]])
def test_a_run_without_cases_does_not_pass(checks, reference):
    """No check, or checks that apply to no stage."""
    verdict = run(PIPELINE, reference, checks)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert (
        verdict.summary
        == "inconclusive: No check was selected, or none applies to this pipeline. List the checks: seatrial plugins"
    )


def test_a_stage_that_breaks_under_a_check_is_a_finding_of_the_stage(reference):
    """It originates in the stage that raised, whichever case was run."""
    verdict = run(PIPELINE, reference, [check_of(stage_breaks, stages=lambda trial: (None,))])
    [finding] = verdict.findings
    assert (finding.stage, finding.cause, verdict.first_failing_stage) == ("features", "stage-broke", "features")
    assert not verdict.not_evaluated


def test_a_crash_is_reported_without_its_text_and_stops_no_other_check(reference):
    """The text of the exception may hold values; the checks after it run all the same."""
    verdict = run(PIPELINE, reference, [check_of(crashes), check_of(evaluated, name="own")])
    assert len(verdict.evaluated) == 4
    assert "The check crashed: ValueError in crashes (test_engine.py" in verdict.not_evaluated[0].reason
    assert "alice" not in verdict.to_json()


def test_an_interrupt_ends_the_run_without_a_verdict(reference):
    """Ctrl-C ends the run; the cases before it make no verdict."""

    def interrupted(trial, stage):
        raise KeyboardInterrupt
        yield

    received = []

    class Recorder(Sink):
        def verdict(self, verdict):
            received.append(verdict)

    with pytest.raises(KeyboardInterrupt):
        run(PIPELINE, reference, [check_of(evaluated), check_of(interrupted)], sinks=[Recorder()])
    assert not received


class Recording(Sink):
    def __init__(self):
        self.received = []

    def planned(self, cases):
        self.received.append(("planned", len(cases)))

    def event(self, event):
        self.received.append(("event", type(event).__name__))

    def verdict(self, verdict):
        self.received.append(("verdict", verdict.outcome))


def test_sinks_receive_the_plan_every_event_and_the_verdict(reference):
    """They come in this order, and the verdict is the one that run returns."""
    sink = Recording()
    run(PIPELINE, reference, [check_of(finds)], sinks=[sink])
    events = [("event", "Finding"), ("event", "Evaluated")] * 2
    assert sink.received == [("planned", 2), *events, ("verdict", Outcome.FAIL)]


def test_sinks_receive_the_progress_of_a_long_case(reference):
    """A check reports to the trial, and the run to the sinks; a sink without the method is unaffected."""
    received = []

    class Recorder(Sink):
        def progress(self, done, of, what):
            received.append((done, of, what))

    def slow(trial, stage):
        trial.on_progress(1, 2, "run 2 of 2")
        yield Evaluated("own", stage, 1)

    assert run(PIPELINE, reference, [check_of(slow)], sinks=[Recorder(), Recording()]).outcome is Outcome.PASS
    assert received == [(1, 2, "run 2 of 2")] * 2


@pytest.mark.parametrize("where", ["planned", "event", "verdict"])
@pytest.mark.parametrize(("body", "outcome"), [(evaluated, Outcome.PASS), (finds, Outcome.FAIL)])
def test_a_sink_that_raises_changes_no_outcome(where, body, outcome, reference):
    """The other sinks receive everything, the outcome stays, and a warning names the sink."""

    class Full(Recording):
        pass

    def full(self, *_):
        raise OSError(28, "No space left on device")

    setattr(Full, where, full)
    other, broken = Recording(), Full()
    verdict = run(PIPELINE, reference, [check_of(body)], sinks=[broken, other])
    assert verdict.outcome is outcome
    assert other.received[-1] == ("verdict", outcome)
    assert broken.received[-1:] != [("verdict", outcome)]
    [warning] = [f for f in verdict.findings if f.cause == "sink-broke"]
    assert warning.severity is Severity.WARNING
    assert warning.message.startswith("Sink 'Full' raised OSError in full (test_engine.py:")
    assert warning.message.endswith("); its output is incomplete. The verdict is unaffected.")


def test_the_stream_is_the_run_without_sinks(reference):
    """``stream`` yields what ``run`` sums up; the verdict carries digests, seed and subject."""
    trial = Trial(PIPELINE, reference, seed=5)
    checks = [check_of(evaluated)]
    cases = [case for _, case in plan(checks, trial)]
    assert cases == [Case("own", "raw"), Case("own", "features")]
    events = [event for check, case in plan(checks, trial) for event in run_case(check, trial, case)]
    verdict = verdict_of(events, trial, cases, subject=Subject("p", "3"))
    assert verdict.outcome is Outcome.PASS
    assert (verdict.seed, verdict.reference_digest, str(verdict.subject)) == (5, reference.digest, "p version 3")
    assert verdict.path == ("raw", "features")


def test_a_result_carries_the_time_it_took(reference):
    """Every evaluated case has the time it took, in seconds."""
    [event] = run_case(check_of(evaluated), Trial(PIPELINE, reference), Case("own", "raw"))
    assert event.seconds >= 0


def test_checks_are_selected_by_name(reference):
    """Names and a user's own checks may be mixed; a misspelt name is refused with the nearest."""
    verdict = run(PIPELINE, reference, ["golden", check_of(evaluated)])
    assert {j.check for j in verdict.evaluated} == {"golden", "own"}
    with pytest.raises(UsageError, match=r"Check 'goldn' is not known.*Did you mean 'golden'"):
        run(PIPELINE, reference, ["goldn"])


def test_a_reference_of_another_pipeline_is_refused(reference):
    """A reference that belongs to something else makes no verdict."""
    with pytest.raises(ReferenceInvalid, match="captured with pipeline 'p', and this is 'other'"):
        run(Pipeline("other", key="id", raw=same, features=doubled), reference)


def test_a_version_without_its_model_is_an_error():
    """A stage that needs a model that was not given makes an error, and no finding about the stage."""
    pipeline = Pipeline("m", key="id", model=float, raw=same, score=lambda f, model: f.assign(s=f["x"] * model))
    reference = capture(pipeline, REQUESTS, model=2.0)
    verdict = run(pipeline, reference, ["golden"])
    assert verdict.outcome is Outcome.ERROR
    assert not verdict.findings
    assert run(pipeline, reference, ["golden"], model="2.0").outcome is Outcome.PASS


def test_the_missing_column_is_named_under_trial(reference):
    """The finding names the column that the input of a stage lacks, because it is a column of the reference."""
    broken = Pipeline("p", key="id", raw=lambda f: f.rename(columns={"x": "y"}), features=doubled)
    verdict = run(broken, reference, ["golden"])
    assert verdict.outcome is Outcome.FAIL
    assert any("Stage 'features' raised KeyError 'x' in doubled" in f.message for f in verdict.findings)


def lacking(trial, stage):
    yield NotEvaluated("load", stage, "Too few requests.")


def crashing(trial, stage):
    raise RuntimeError


def worse(trial, stage):
    yield Finding("load", stage, "Too slow.")
    yield Evaluated("load", stage, compared=3)


@pytest.mark.parametrize(
    ("load", "own", "outcome"),
    [
        (lacking, evaluated, Outcome.PASS),
        (crashing, evaluated, Outcome.ERROR),
        (worse, evaluated, Outcome.FAIL),
        (lacking, lambda trial, stage: iter([NotEvaluated("own", stage, "few")]), Outcome.INCONCLUSIVE),
        (lacking, None, Outcome.INCONCLUSIVE),
    ],
    ids=["no result", "a crash", "a failure", "another check without one", "nothing else"],
)
def test_a_check_that_the_policy_calls_optional_may_have_no_result(reference, load, own, outcome):
    """And nothing else: not a crash, not a failure, and not as the only check."""
    policy = Policy(service=service_settings({"verdict": {"optional": ["load"]}}))
    checks = [check_of(load, name="load"), *([check_of(own)] if own else [])]
    verdict = run(PIPELINE, reference, checks, policy=policy)
    assert verdict.outcome is outcome
    if outcome is Outcome.PASS:
        assert verdict.summary.endswith("; not evaluated, as the policy allows: load")
        assert run(PIPELINE, reference, checks).outcome is Outcome.INCONCLUSIVE
