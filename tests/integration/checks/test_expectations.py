"""The expectations check: every stage by itself, judged by checkpoint and kernel alike."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Policy, Severity, StagePolicy, Tolerance, Trial, capture, run
from seatrial.checks.gx import judge
from seatrial.errors import PolicyError, StageError, UsageError
from seatrial.events import Attachment, Evaluated, Measurement, NotEvaluated
from seatrial.parity.compare import compare
from tests.support.pipelines import (
    all_of,
    asked,
    changed,
    features,
    findings,
    known_world,
    prediction,
    raw,
    requests,
    response,
    shop,
    trained,
)  # fmt: skip

EVIDENCE = {
    "rows", "mismatches", "share", "null_flips", "max_abs_diff", "max_rel_diff", "keys", "direction", "psi",
    "psi_critical", "p_value", "how", "columns", "missing", "extra", "duplicates", "allowed", "seed",
    "pictures",  # counts by bins of five rows or more
}  # fmt: skip


@pytest.fixture(scope="module")
def reference():
    return trained()


def evaluated(reference, stage="features", *, policy=None, **stages):
    return asked("expectations", Trial(shop(**stages), reference, policy=policy), stage)


def test_an_unchanged_path_passes_and_every_stage_was_looked_at(reference):
    verdict = run(shop(), reference, ["expectations"])
    assert verdict.outcome is Outcome.PASS
    assert not verdict.findings
    assert {j.stage: j.compared for j in verdict.evaluated} == {
        "raw": 800, "features": 1000, "prediction": 400, "response": 400,
    }  # fmt: skip


def test_a_scaled_feature_is_born_in_its_stage_with_counts_and_keys(reference):
    bad = changed(features, lambda f: f.assign(amount=f["amount"] * 100))
    verdict = run(shop(features=bad), reference, ["expectations"])
    (finding,) = verdict.findings
    assert verdict.first_failing_stage == finding.stage == "features"
    assert finding.column == "amount"
    assert finding.evidence["mismatches"] == finding.evidence["rows"] == 200
    assert finding.evidence["max_rel_diff"] == pytest.approx(99)
    assert finding.evidence["direction"] == "higher"
    assert len(finding.evidence["keys"]) == 5
    assert "200 of 200 rows (100 %)" in finding.message
    assert finding.advice


@pytest.mark.parametrize(
    ("change", "column", "cause", "words"),
    [
        (
            lambda f: f.assign(amount=f["amount"].astype("float32")),
            "amount",
            None,
            "has type float32; the reference has float64",
        ),
        (lambda f: f.assign(ratio=f["ratio"].fillna(0)), "ratio", None, "null on one side only"),
        (lambda f: f.drop(columns="over"), "over", "missing-column", "missing"),
        (lambda f: f.rename(columns={"over": "OVER"}), "over", "missing-column", "The answer has 'OVER'"),
        (lambda f: f.assign(new=1), "new", "extra-column", "new"),
        (lambda f: f.iloc[5:], "id", "missing-keys", "5 of 200 reference rows (2.5 %)"),
        (lambda f: f.iloc[:0], "id", "missing-keys", "200 of 200 reference rows (100 %)"),
        (lambda f: pd.concat([f, f.tail(1).assign(id="other")]), "id", "extra-keys", "1 row"),
        (lambda f: f.assign(id=f["id"].astype("category")), "id", "dtype", "Key 'id' has type category"),
        (lambda f: f[["id"]], "amount", "missing-column", "5 columns have this in common: 'amount', 'ratio'"),
    ],
)
def test_a_change_of_structure_type_or_nulls_is_a_finding_that_fails(reference, change, column, cause, words):
    events = evaluated(reference, features=changed(features, change))
    found = [f for f in findings(events) if f.column == column and words in f.message]
    assert found, findings(events)
    assert found[0].severity is Severity.ERROR
    assert cause is None or found[0].cause == cause
    assert not [u for u in all_of(NotEvaluated, events) if u.crashed], events


def test_a_finding_carries_counts_and_keys_that_json_can_carry_and_no_cell(reference):
    bad = changed(raw, lambda f: f.assign(country=f["country"].cat.rename_categories({"NL": "SECRETLAND"})))
    verdict = run(shop(raw=bad), reference, ["expectations"])
    assert verdict.outcome is Outcome.FAIL
    for finding in verdict.findings:
        assert set(finding.evidence) <= EVIDENCE
        json.dumps(dict(finding.evidence))
    assert "SECRETLAND" not in verdict.to_json()


def test_no_cell_value_is_in_the_attached_results(reference):
    bad = changed(features, lambda f: f.assign(amount=123456.5))
    own = StagePolicy(expectations=lambda _: [_gxe().ExpectColumnMaxToBeBetween(column="amount", max_value=1)])
    policy = Policy({"features": own})
    events = evaluated(reference, policy=policy, features=bad)
    files = {a.name: a.content.decode() for a in all_of(Attachment, events)}
    assert set(files) == {"suites/features.json", "results/features.json"}
    assert not [n for n, text in files.items() if "123456.5" in text]
    assert not [f for f in findings(events) if "123456.5" in f.message]


def test_another_column_order_is_a_warning_and_passes(reference):
    bad = changed(features, lambda f: f[list(f.columns[::-1])])
    verdict = run(shop(features=bad), reference, ["expectations"])
    assert verdict.outcome is Outcome.PASS
    assert [(f.cause, f.severity) for f in verdict.findings] == [("column-order", Severity.WARNING)]


def test_another_row_order_is_the_same_answer(reference):
    bad = changed(features, lambda f: f.sample(frac=1, random_state=1))
    assert run(shop(features=bad), reference, ["expectations"]).outcome is Outcome.PASS


def test_rows_within_the_allowed_share_pass_and_one_more_fails(reference):
    policy = Policy({"features": StagePolicy(tolerances={"amount": Tolerance(share=0.01)})})

    def off(rows):
        return changed(features, lambda f: f.assign(amount=f["amount"].where(f.index >= rows, 0.0)))

    assert not findings(evaluated(reference, policy=policy, features=off(2)))
    assert [f.column for f in findings(evaluated(reference, policy=policy, features=off(3)))] == ["amount"]


def test_a_distribution_that_moved_within_its_tolerance_is_a_warning():
    reference = trained(2000)
    policy = Policy({"features": StagePolicy(tolerances={"amount": Tolerance(share=1.0)})})
    bad = changed(features, lambda f: f.assign(amount=f["amount"] * 3))
    verdict = run(shop(features=bad), reference, ["expectations"], policy=policy)
    assert verdict.outcome is Outcome.PASS
    (finding,) = verdict.findings
    assert (finding.severity, finding.cause) == (Severity.WARNING, "drift")
    assert finding.evidence["psi"] > finding.evidence["psi_critical"]


def test_a_stage_that_raises_is_one_finding_at_its_place(reference):
    def broken(frame):
        raise ValueError(f"secret {frame['score'].iloc[0]}")

    verdict = run(shop(response=broken), reference, ["expectations"])
    (finding,) = verdict.findings
    assert (finding.stage, finding.cause) == ("response", "stage-broke")
    assert "ValueError" in finding.message
    assert "secret" not in finding.message


def test_a_stage_that_writes_into_its_input_spoils_no_other_judgement(reference):
    def greedy(frame):
        answer = response(frame)
        frame.loc[:, "score"] = 0.0
        frame["code"] = -1
        return answer

    def tagger(frame, store):
        for tags in frame["tags"]:
            tags.append("seen")
        return features(frame, store)

    trial = Trial(shop(response=greedy, features=tagger), reference)
    for stage in ("features", "response", "prediction", "raw"):
        for name in ("expectations", "golden"):
            assert not findings(asked(name, trial, stage)), stage


def test_a_tolerance_for_no_column_is_refused_before_anything_is_judged(reference):
    policy = Policy({"features": StagePolicy(tolerances={"amuont": Tolerance(rtol=1.0)})})
    with pytest.raises(PolicyError, match=r"expectations/features.py: .*Did you mean 'amount'"):
        run(shop(), reference, ["expectations"], policy=policy)


@pytest.mark.parametrize("kept", [lambda f: f.iloc[:0], lambda f: f[["id"]]], ids=["no row", "no column beside"])
def test_a_stage_of_which_nothing_could_be_compared_makes_no_reference(kept):
    path = Pipeline("few", key="id", raw=lambda f: f, kept=kept)
    with pytest.raises(StageError, match="nothing to compare"):
        capture(path, requests(20))


def test_what_was_measured_is_told_for_the_stage_and_the_columns_that_differ(reference):
    bad = changed(features, lambda f: f.assign(amount=f["amount"].where(f.index >= 20, 0.0)))
    told = {(m.name, m.column): m.value for m in all_of(Measurement, evaluated(reference, features=bad))}
    assert told == {
        ("mismatch_share", None): pytest.approx(20 / 1000),
        ("max_rel_diff", None): 1.0,
        ("mismatch_share", "amount"): pytest.approx(0.1),
        ("max_rel_diff", "amount"): 1.0,
    }


def test_checkpoint_and_kernel_that_disagree_are_an_error_either_way():
    frame = pd.DataFrame({"id": [1, 2], "x": [1.0, 2.0], "y": [1.0, 2.0]})
    good = compare(frame, frame, key="id")
    bad = compare(frame, frame.assign(x=0.0), key="id")
    other = compare(frame, frame.assign(y=0.0), key="id")
    ran = {name: judge.judge_parity("s", ["id", "x", "y"], p) for name, p in (("good", good), ("bad", bad))}
    assert judge.disagreement(None, ran["good"], good) == ""
    assert judge.disagreement(None, ran["bad"], bad) == ""
    assert "disagree" in judge.disagreement(None, ran["good"], bad)
    assert "disagree" in judge.disagreement(None, ran["bad"], good)
    assert "disagree about: x, y" in judge.disagreement(None, ran["bad"], other)


def test_eight_threads_judge_sixteen_trials_and_each_gets_its_own_answer(reference):
    factors = [1 + n / 10 for n in range(16)]

    def one(factor):
        bad = changed(features, lambda f: f.assign(amount=f["amount"] * factor))
        events = asked("expectations", Trial(shop(features=bad), reference), "features")
        assert not list(all_of(NotEvaluated, events))
        return [f.evidence["max_rel_diff"] for f in findings(events)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, factors))
    assert answers[0] == []
    assert [a[0] for a in answers[1:]] == pytest.approx([f - 1 for f in factors[1:]])


def test_every_stage_of_one_trial_may_be_asked_from_its_own_thread(reference):
    bad = changed(prediction, lambda f: f.assign(code=f["code"] + 1))
    trial = Trial(shop(prediction=bad), reference)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda s: (s, findings(asked("expectations", trial, s))), trial.pipeline.stages))
    assert {stage for stage, found in answers if found} == {"prediction"}


def test_the_context_keeps_nothing_of_what_it_judged(reference):
    from seatrial.checks.gx import runner

    evaluated(reference)
    context, source = runner._source()
    assert not source.assets
    assert not [*context.suites.all(), *context.checkpoints.all(), *context.validation_definitions.all()]


class TestLiveDependency:
    def ask(self, reference, world):
        return asked("expectations", Trial(shop(world), reference, live=["store"]), "store")

    def test_it_stands_before_the_stage_that_asks_it(self, reference):
        verdict = run(shop(), reference, ["expectations"], live=["store"])
        assert verdict.outcome is Outcome.PASS
        assert [j.stage for j in verdict.evaluated] == ["raw", "store", "features", "prediction", "response"]

    def test_stale_values_are_found_at_the_dependency(self, reference):
        world = known_world()
        world["rows"] = {c: v * 1.5 for c, v in world["rows"].items()}
        verdict = run(shop(world), reference, ["expectations"], live=["store"])
        (finding,) = verdict.findings
        assert (finding.stage, finding.column) == ("store", "average")
        assert finding.evidence["mismatches"] == finding.evidence["rows"] > 40
        assert finding.message.startswith("averages(…): ")
        assert verdict.first_failing_stage == "store"

    def test_evicted_keys_are_named(self, reference):
        world = known_world()
        del world["rows"][7], world["rows"][8]
        found = findings(self.ask(reference, world))
        assert [(f.cause, f.evidence["missing"], set(f.evidence["keys"])) for f in found] == [
            ("evicted-keys", 2, {"7", "8"})
        ]

    def test_values_that_became_null_are_found(self, reference):
        world = known_world()
        world["rows"][7] = float("nan")
        (finding,) = findings(self.ask(reference, world))
        assert finding.evidence["null_flips"] == 1
        assert finding.evidence["keys"] == ["7"]

    def test_a_store_that_lost_everything_is_no_pass(self, reference):
        world = known_world()
        world["rows"] = {}
        assert findings(self.ask(reference, world))

    def test_a_plain_call_that_answers_differently_is_found(self, reference):
        world = known_world()
        world["limits"] = {"NL": 60.0}
        (finding,) = findings(self.ask(reference, world))
        assert "limits(…)" in finding.message
        assert finding.evidence == {"rows": 1, "mismatches": 1}

    def test_one_out_of_reach_is_not_judged_and_not_passed(self, reference):
        verdict = run(shop(known_world() | {"down": True}), reference, ["expectations"], live=["store"])
        assert verdict.outcome is Outcome.INCONCLUSIVE
        (not_evaluated,) = verdict.not_evaluated
        assert not_evaluated.stage == "store"
        assert "cannot be reached" in not_evaluated.reason

    def test_one_that_breaks_while_it_is_asked_is_not_judged(self, reference):
        events = self.ask(reference, known_world() | {"limits": {}})
        (not_evaluated,) = all_of(NotEvaluated, events)
        assert "KeyError" in not_evaluated.reason
        assert not not_evaluated.crashed
        assert not list(all_of(Evaluated, events))

    def test_an_unknown_name_is_refused_with_the_nearest(self, reference):
        with pytest.raises(UsageError, match="Did you mean 'store'"):
            run(shop(), reference, ["expectations"], live=["stoer"])


def _gxe():
    import great_expectations.expectations as gxe

    return gxe


def test_numbers_of_every_width_agree_between_checkpoint_and_kernel():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"id": range(50), **{f"c{n}": rng.normal(size=50) for n in range(30)}})
    for wrong in range(0, 30, 7):
        moved = frame.assign(**{f"c{n}": 0.0 for n in range(wrong)})
        parity = compare(frame, moved, key="id")
        ran = judge.judge_parity("s", list(frame.columns), parity)
        assert judge.disagreement(None, ran, parity) == ""
        assert bool(ran.failed()) == bool(wrong)
