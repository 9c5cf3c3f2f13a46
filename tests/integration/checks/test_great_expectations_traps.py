"""What Great Expectations reports as success on bad data, and that seatrial does not pass it."""

import json

import numpy as np
import pandas as pd
import pytest

from seatrial import Outcome, Policy, Severity, StagePolicy, Trial, run
from seatrial.checks.gx import judge, runner, suites
from seatrial.events import Attachment, NotEvaluated
from seatrial.parity.compare import compare
from tests.support.pipelines import all_of, asked, changed, features, findings, shop, trained

gx = pytest.importorskip("great_expectations")
gxe = pytest.importorskip("great_expectations.expectations")


@pytest.fixture(scope="module")
def reference():
    return trained()


def own(*expectations, show=()):
    return Policy({"features": StagePolicy(expectations=lambda _: list(expectations), show=show)})


def evaluated(reference, policy, change=lambda f: f):
    trial = Trial(shop(features=changed(features, change)), reference, policy=policy)
    return asked("expectations", trial, "features")


def of_own(events):
    """Return what the own expectations found: the parity findings aside."""
    mine = {"expectation", "nothing-evaluated", "missing-column"}
    return [f for f in findings(events) if f.cause in mine and f.evidence.get("allowed") is None]


def test_expectations_that_hold_pass_and_are_stored_with_their_counts(reference):
    between = gxe.ExpectColumnValuesToBeBetween(column="amount", min_value=0)
    policy = own(between, gxe.ExpectTableRowCountToEqual(value=200))
    events = evaluated(reference, policy)
    assert not findings(events)
    assert not list(all_of(NotEvaluated, events))
    results = {a.name: json.loads(a.content) for a in all_of(Attachment, events)}["results/features.json"]
    assert {(a["type"], a["rows"], a["unexpected"]) for a in results["own"]} == {
        ("expect_column_values_to_be_between", 200, 0), ("expect_table_row_count_to_equal", None, None),
    }  # fmt: skip


def test_one_that_does_not_hold_names_column_counts_and_where_it_stands(reference):
    events = evaluated(
        reference, own(gxe.ExpectColumnValuesToBeBetween(column="amount", max_value=0, description="small"))
    )
    (finding,) = of_own(events)
    assert (finding.column, finding.cause, finding.severity) == ("amount", "expectation", Severity.ERROR)
    assert finding.evidence == {"rows": 200, "mismatches": 200, "share": 1.0}
    assert "small" in finding.message
    assert "expectations/features.py" in finding.advice


def test_its_severity_is_the_findings(reference):
    policy = own(gxe.ExpectColumnValuesToBeBetween(column="amount", max_value=0, severity="warning"))
    verdict = run(shop(), reference, ["expectations"], policy=policy)
    assert verdict.outcome is Outcome.PASS
    assert [f.severity for f in verdict.findings] == [Severity.WARNING]


@pytest.mark.parametrize(("show", "seen"), [((), False), (("amount",), True)])
def test_a_value_is_told_only_of_a_column_that_may_be_shown(reference, show, seen):
    most = str(reference.frame("features")["amount"].max())
    (finding,) = of_own(
        evaluated(reference, own(gxe.ExpectColumnMaxToBeBetween(column="amount", max_value=0), show=show))
    )
    assert (most in finding.message) is seen


@pytest.mark.parametrize(
    "expectation",
    [
        gxe.ExpectColumnValuesToBeBetween(column="ratio", min_value=0, max_value=0.1),
        gxe.ExpectColumnValuesToBeInSet(column="ratio", value_set=[-1]),
        gxe.ExpectColumnValuesToBeUnique(column="ratio"),
        gxe.ExpectColumnDistinctValuesToBeInSet(column="ratio", value_set=[1]),
        gxe.ExpectColumnUniqueValueCountToBeBetween(column="ratio", max_value=5),
    ],
)
def test_an_all_null_column_is_a_finding_where_great_expectations_says_success(reference, expectation):
    def all_null(frame):
        return frame.assign(ratio=np.nan)

    alone = runner.run_suite("trap", [expectation], all_null(reference.frame("features")))
    assert not alone.problem
    assert alone.answers[0].success  # the trap
    (finding,) = of_own(evaluated(reference, own(expectation), all_null))
    assert (finding.column, finding.cause) == ("ratio", "nothing-evaluated")


@pytest.mark.filterwarnings("ignore:.*condition:DeprecationWarning")
def test_a_pair_of_all_null_columns_and_a_condition_that_leaves_no_row_say_nothing(reference):
    def all_null(frame):
        return frame.assign(ratio=np.nan, amount=np.nan)

    pair = gxe.ExpectColumnPairValuesToBeEqual(column_A="ratio", column_B="amount")
    assert [f.cause for f in of_own(evaluated(reference, own(pair), all_null))] == ["nothing-evaluated"]
    no_row = gxe.ExpectColumnValuesToBeBetween(
        column="amount", max_value=0, row_condition="amount < 0", condition_parser="pandas"
    )
    assert [f.cause for f in of_own(evaluated(reference, own(no_row)))] == ["nothing-evaluated"]


def test_what_is_said_of_nulls_themselves_is_taken_at_its_word(reference):
    null = gxe.ExpectColumnValuesToBeNull(column="ratio")
    assert not of_own(evaluated(reference, own(null), lambda f: f.assign(ratio=np.nan)))
    not_null = gxe.ExpectColumnValuesToNotBeNull(column="ratio")
    assert [f.cause for f in of_own(evaluated(reference, own(not_null), lambda f: f.assign(ratio=np.nan)))] == [
        "expectation"
    ]


def test_a_column_is_found_by_its_exact_name_alone(reference):
    expectation = gxe.ExpectColumnValuesToBeBetween(column="AMOUNT", min_value=0)
    assert runner.run_suite("trap", [expectation], reference.frame("features")).answers[0].success  # the trap
    (finding,) = of_own(evaluated(reference, own(expectation)))
    assert (finding.column, finding.cause) == ("AMOUNT", "missing-column")
    assert "Did you mean 'amount'" in finding.message


def test_names_that_differ_only_in_case_are_refused(reference):
    expectation = gxe.ExpectColumnValuesToBeBetween(column="amount", min_value=0)
    events = evaluated(reference, own(expectation), lambda f: f.assign(AMOUNT=-1.0))
    (not_evaluated,) = all_of(NotEvaluated, events)
    assert "'amount' and 'AMOUNT'" in not_evaluated.reason


def test_an_empty_suite_is_not_judged(reference):
    verdict = run(shop(), reference, ["expectations"], policy=own())
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert runner.run_suite("empty", [], pd.DataFrame({"a": [1]})).problem


def test_an_empty_frame_is_not_judged(reference):
    expectation = gxe.ExpectColumnValuesToBeBetween(column="amount", max_value=0)
    events = evaluated(reference, own(expectation), lambda f: f.iloc[:0])
    assert any("no row" in u.reason for u in all_of(NotEvaluated, events))
    assert findings(events)


def test_repeated_column_names_never_reach_it(reference):
    verdict = run(
        shop(features=changed(features, lambda f: pd.concat([f, f[["amount"]]], axis=1))), reference, ["expectations"],
        policy=own(gxe.ExpectColumnValuesToBeBetween(column="amount", min_value=0)),
    )  # fmt: skip
    assert verdict.outcome is Outcome.FAIL
    assert "more than once: amount" in verdict.findings[0].message


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda _: ["amount > 0"], "returned a str, which is not an expectation"),
        (lambda _: 1 / 0, "ZeroDivisionError"),
        (lambda _: None, "TypeError"),
    ],
)
def test_a_function_that_gives_no_expectations_is_an_error(reference, build, words):
    verdict = run(shop(), reference, ["expectations"], policy=Policy({"features": StagePolicy(expectations=build)}))
    assert verdict.outcome is Outcome.ERROR
    assert words in verdict.not_evaluated[0].reason


def test_an_expectation_that_raises_is_an_error_and_not_a_failed_one(reference):
    verdict = run(
        shop(), reference, ["expectations"],
        policy=own(gxe.ExpectColumnValuesToMatchRegex(column="amount", regex="(unclosed")),
    )  # fmt: skip
    assert verdict.outcome is Outcome.ERROR
    assert "expect_column_values_to_match_regex raised" in verdict.not_evaluated[0].reason
    assert not verdict.findings


def test_the_same_expectation_twice_is_evaluated_twice(reference):
    twice = [gxe.ExpectColumnValuesToBeBetween(column="amount", max_value=0) for _ in range(2)]
    assert len(of_own(evaluated(reference, own(*twice)))) == 2


def test_editing_an_expectation_after_it_ran_changes_the_next_run_alone(reference):
    expectation = gxe.ExpectColumnValuesToBeBetween(column="amount", min_value=0)
    assert not of_own(evaluated(reference, own(expectation)))
    expectation.max_value = 0
    assert of_own(evaluated(reference, own(expectation)))


def test_a_class_declared_again_does_not_take_the_place_of_the_first(reference):
    def declare(limit):
        class ExpectSmallAmounts(gxe.ExpectColumnValuesToBeBetween):
            column: str = "amount"
            max_value: float = limit

        return ExpectSmallAmounts

    strict = declare(0.0)()
    declare(1e9)
    assert [f.cause for f in of_own(evaluated(reference, own(strict)))] == ["expectation"]


def test_a_stock_class_that_was_replaced_does_not_judge_for_the_stock_one(reference):
    from great_expectations.expectations import registry

    stock = registry.get_expectation_impl("expect_column_pair_values_a_to_be_greater_than_b")
    try:

        class ExpectColumnPairValuesAToBeGreaterThanB(stock):
            def _validate(self, *_, **__):
                return {"success": True, "result": {}}

        frame = reference.frame("features")
        assert registry.get_expectation_impl(stock.expectation_type) is not stock  # the trap
        parity = compare(frame, frame.assign(amount=0.0), key="id")
        ran = judge.judge_parity("features", list(frame.columns), parity)
        assert [a.features for a in ran.failed()] == [("amount",)]
    finally:
        registry.register_expectation(stock)


def test_two_classes_of_one_name_in_one_suite_are_refused(reference):
    def declare(limit):
        class ExpectTwin(gxe.ExpectColumnValuesToBeBetween):
            column: str = "amount"
            max_value: float = limit

        return ExpectTwin()

    verdict = run(shop(), reference, ["expectations"], policy=own(declare(0.0), declare(1e9)))
    assert verdict.outcome is Outcome.ERROR
    assert "two classes named ExpectTwin" in verdict.not_evaluated[0].reason


def test_a_metric_that_was_replaced_shows_as_a_disagreement_with_the_kernel(reference):
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.expectations import registry
    from great_expectations.expectations.metrics.map_metric_provider import (
        ColumnMapMetricProvider,
        column_condition_partial,
    )

    saved = {name: {**m, "providers": dict(m["providers"])} for name, m in registry._registered_metrics.items()}
    try:

        class Blind(ColumnMapMetricProvider):
            condition_metric_name = "column_values.between"
            condition_value_keys = ("min_value", "max_value", "strict_min", "strict_max")

            @column_condition_partial(engine=PandasExecutionEngine)
            def _pandas(cls, column, **_):
                return column.notna()

        events = evaluated(reference, None, lambda f: f.assign(ratio=f["ratio"].fillna(0)))
    finally:
        registry._registered_metrics.clear()
        registry._registered_metrics.update(saved)
    (not_evaluated,) = all_of(NotEvaluated, events)
    assert not_evaluated.crashed
    assert "disagree" in not_evaluated.reason
    assert findings(events)  # the kernel's finding stands all the same


def test_a_stored_suite_reloads_whole_and_judges_the_same_without_seatrial(reference):
    def bad(frame):
        return frame.assign(amount=0.0)

    files = {a.name: json.loads(a.content) for a in all_of(Attachment, evaluated(reference, None, bad))}
    stored = files["suites/features.json"]
    assert set(stored) == {"schema", "parity"}
    suite = gx.ExpectationSuite(**stored["parity"])
    assert (
        len(suite.expectations)
        == len(stored["parity"]["expectations"])
        == len(files["results/features.json"]["parity"])
    )
    frame = reference.frame("features")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = context.data_sources.add_pandas("again").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
    for actual, holds in ((frame, True), (bad(frame), False)):
        parity = suites.parity_frame(compare(frame, actual, key="id"))
        assert batch.get_batch({"dataframe": parity}).validate(suite).success is holds


def test_a_null_statistic_is_never_passed_over(reference):
    frame = reference.frame("features")
    parity = suites.parity_frame(compare(frame, frame, key="id"))
    holed = parity.assign(null_flips=parity["null_flips"].astype("Int64").mask(parity["feature"] == "amount"))
    names = list(frame.columns)
    ran = runner.run_suite("holed", suites.parity_expectations(names, 200), holed, label="feature")
    assert "skipped rows that are null" in ran.problem
    empty = parity.assign(null_flips=pd.NA)
    assert runner.run_suite("empty", suites.parity_expectations(names, 200), empty, label="feature").problem


@pytest.mark.parametrize("spoil", [
    lambda p: p.iloc[1:], lambda p: p.assign(rows=199), lambda p: p.assign(dtype_ok=False),
    lambda p: p.assign(mismatches=1), lambda p: p.assign(null_flips=1), lambda p: p.assign(complete=False),
    lambda p: p.assign(feature="amount"), lambda p: pd.concat([p, p.head(1)]),
])  # fmt: skip
def test_every_expectation_of_the_parity_suite_fails_on_what_it_is_for(reference, spoil):
    frame = reference.frame("features")
    parity = suites.parity_frame(compare(frame, frame, key="id"))
    expectations = suites.parity_expectations(list(frame.columns), 200)
    assert not runner.run_suite("whole", expectations, parity, label="feature").failed()
    assert runner.run_suite("spoilt", expectations, spoil(parity), label="feature").failed()
