"""The golden check in process: differences at stage hand-offs, and those downstream of an earlier stage."""

import numpy as np
import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Severity, Trial, capture, run
from seatrial.events import Attachment, Evaluated, NotEvaluated
from tests.support.pipelines import (
    COUNTRIES,
    all_of,
    asked,
    changed,
    features,
    findings,
    prediction,
    requests,
    response,
    shop,
    trained,
)

BOTH = ["expectations", "golden"]


@pytest.fixture(scope="module")
def reference():
    return trained()


def origins(verdict):
    """Return the check, place and cause of each error at its origin."""
    return [(f.check, f.stage, f.cause) for f in verdict.errors if not f.downstream]


def test_an_unchanged_path_passes_and_every_stage_of_the_chain_was_compared(reference):
    verdict = run(shop(), reference, ["golden"])
    assert verdict.outcome is Outcome.PASS
    assert not verdict.findings
    assert [(j.stage, j.compared > 0) for j in verdict.evaluated] == [(s, True) for s in shop().stages]


def test_a_difference_has_one_origin_and_is_downstream_after_it(reference):
    bad = changed(features, lambda f: f.assign(ratio=f["ratio"] * 2))
    verdict = run(shop(features=bad), reference, BOTH)
    assert origins(verdict) == [("expectations", "features", None)] or origins(verdict)[0][:2] == (
        "expectations",
        "features",
    )
    assert verdict.first_failing_stage == "features"
    later = [f for f in verdict.findings if f.check == "golden"]
    assert [f.stage for f in later] == ["features", "prediction", "response"]
    assert all((f.downstream and "'features'" in f.advice) or f.stage == "features" for f in later)


def test_training_serving_skew_is_found_where_training_used_other_values():
    path = shop()
    used = features(*_inputs(path))
    used["ratio"] *= 1.25
    reference = capture(path, requests(), given={"features": used})
    verdict = run(path, reference, BOTH)
    assert verdict.first_failing_stage == "features"
    assert {(f.stage, f.downstream) for f in verdict.errors if f.check == "golden"} == {
        ("features", True), ("prediction", True), ("response", True),
    }  # fmt: skip


def _inputs(path):
    from tests.support.pipelines import raw

    return raw(requests()), path.connect()["store"]


def by_label(frame):
    """A prediction that reads rows by label, as if the index were 0…n-1."""
    answer = prediction(frame.reset_index(drop=True))
    return answer.assign(score=[answer["score"].iloc[label % len(answer)] for label in frame.index])


def by_position(frame):
    """A prediction that carries a running number: right while the rows are in the order of the reference."""
    answer = prediction(frame)
    return answer.assign(score=answer["score"] + np.arange(len(answer)))


def by_column_position(frame):
    answer = prediction(frame)
    return answer.assign(score=frame.iloc[:, 1].astype("float64"))


def by_storage(frame):
    answer = prediction(frame)
    return answer.assign(code=answer["code"] + isinstance(frame["over"].dtype, np.dtype))


@pytest.mark.parametrize(
    ("hand_off", "trusting", "words"),
    [
        (lambda f: f.set_index(f.index[::-1]), by_label, "the index is not 0…n-1"),
        (lambda f: f.set_index(pd.Index(f["amount"].rank(method="first").astype(int), name="n")), by_label, "named n"),
        (lambda f: f.sample(frac=1, random_state=0).reset_index(drop=True), by_position,
         "the rows are in another order"),
        (lambda f: f.assign(over=f["over"].astype("boolean")), by_storage, "'over' has type boolean instead of bool"),
        (lambda f: f.assign(country=f["country"].cat.set_categories(COUNTRIES[::-1])), prediction,
         "the categories of 'country' are in another order"),
        (lambda f: f[["id", "ratio", "amount", "abroad", "country", "over"]], by_column_position,
         "the columns are in another order"),
    ],
    ids=["index", "named index", "row order", "type", "category order", "column order"],
)  # fmt: skip
def test_a_broken_hand_off_is_found_at_the_stage_that_made_what_the_next_one_relied_on(hand_off, trusting, words):
    """Storage keeps orders, types and categories, and capture says whether there was an index: who changed it shows."""
    reference = capture(shop(prediction=trusting), requests())
    bad = shop(prediction=trusting, features=changed(features, hand_off))
    assert run(bad, reference, ["expectations"]).outcome is Outcome.PASS  # each stage is right by itself
    verdict = run(bad, reference, BOTH)
    assert origins(verdict) == [("golden", "features", "hand-off")]
    assert verdict.first_failing_stage == "features"
    (finding,) = (f for f in verdict.errors if not f.downstream)
    assert words in finding.message
    assert finding.evidence["keys"]
    assert {f.stage for f in verdict.errors if f.downstream} == {"prediction", "response"}


def test_a_stage_that_raises_in_the_end_to_end_replay_alone_is_the_origin_and_the_rest_is_not_reached(reference):
    def strict(frame):
        if not frame.index.equals(pd.RangeIndex(len(frame))):
            raise KeyError("row 17")
        return prediction(frame)

    bad = shop(prediction=strict, features=changed(features, lambda f: f.set_index(f.index + 1)))
    verdict = run(bad, reference, BOTH)
    assert origins(verdict) == [("golden", "features", "hand-off")]
    assert verdict.outcome is Outcome.FAIL
    (finding,) = (f for f in verdict.errors if not f.downstream)
    assert "the index is not 0…n-1" in finding.message
    assert "row 17" not in finding.message
    assert [(f.stage, f.cause) for f in verdict.errors if f.downstream] == [("response", "not-reached")]
    assert [(u.check, u.stage, u.crashed) for u in verdict.not_evaluated] == [("golden", "response", False)]


def test_a_stage_that_raises_by_itself_is_reported_by_expectations_and_downstream_here(reference):
    def broken(frame):
        raise ValueError

    verdict = run(shop(prediction=broken), reference, BOTH)
    assert origins(verdict) == [("expectations", "prediction", "stage-broke")]
    downstream = [(f.check, f.stage, f.cause) for f in verdict.errors if f.downstream]
    assert downstream == [("golden", "prediction", "stage-broke"), ("golden", "response", "not-reached")]
    alone = run(shop(prediction=broken), reference, ["golden"])
    assert alone.outcome is Outcome.FAIL


def test_a_stage_that_fails_on_an_earlier_stage_s_difference_is_downstream(reference):
    def strict(frame):
        assert (frame["amount"] > 0).all()
        return prediction(frame)

    bad = shop(prediction=strict, features=changed(features, lambda f: f.assign(amount=-1.0)))
    verdict = run(bad, reference, BOTH)
    assert verdict.first_failing_stage == "features"
    assert {f.stage for f in verdict.errors if not f.downstream} == {"features"}


def test_a_second_hand_off_is_downstream_of_the_first():
    reference = capture(shop(prediction=by_position, response=by_row), requests())
    bad = shop(
        features=changed(features, lambda f: f.sample(frac=1, random_state=0).reset_index(drop=True)),
        prediction=by_position, response=by_row,
    )  # fmt: skip
    assert origins(run(bad, reference, BOTH)) == [("golden", "features", "hand-off")]


def by_row(frame):
    return response(frame).assign(code=np.arange(len(frame)))


def test_answers_in_another_order_than_the_requests_are_a_warning(reference):
    bad = changed(response, lambda f: f.sort_values("score"))
    verdict = run(shop(response=bad), reference, ["golden"])
    assert verdict.outcome is Outcome.PASS
    assert [(f.stage, f.cause, f.severity) for f in verdict.findings] == [("response", "row-order", Severity.WARNING)]


def test_an_order_that_the_reference_has_too_is_only_information():
    path = shop(response=changed(response, lambda f: f.sort_values("score")))
    verdict = run(path, capture(path, requests()), ["golden"])
    assert [(f.cause, f.severity) for f in verdict.findings] == [("row-order", Severity.INFO)]


def test_requests_without_the_key_are_followed_from_the_first_stage():
    def parse(frame):
        return pd.DataFrame(list(frame["payload"].str.split(",")), columns=["id", "x"]).astype({"x": "float64"})

    payloads = pd.DataFrame({"payload": [f"k{i},{i * 7 % 10}" for i in range(10)]})
    path = Pipeline("lines", key="id", raw=parse, response=lambda f: f)
    reference = capture(path, payloads)
    assert run(path, reference, ["golden"]).outcome is Outcome.PASS
    bad = Pipeline("lines", key="id", raw=parse, response=lambda f: f.sort_values("x"))
    assert [f.cause for f in run(bad, reference, ["golden"]).findings] == ["row-order"]


def test_a_first_stage_that_answers_differently_each_time_is_not_repeatable(reference):
    from tests.support.pipelines import raw

    runs = iter(range(9))

    def flaky(frame):
        return raw(frame).assign(amount=frame["amount"] + (next(runs) > 0))

    trial = Trial(shop(raw=flaky), reference)
    assert trial.parity("raw").ok
    (finding,) = (f for f in findings(asked("golden", trial, "raw")) if not f.downstream)
    assert finding.cause == "not-repeatable"


def reversed_categories(frame):
    return frame.assign(country=frame["country"].cat.set_categories(COUNTRIES[::-1]))


def test_a_category_order_is_placed_where_it_was_changed_however_many_stages_pass_it_on():
    from tests.support.pipelines import raw

    bad = shop(raw=changed(raw, reversed_categories))
    verdict = run(bad, capture(shop(), requests()), BOTH)
    assert origins(verdict) == [("golden", "raw", "hand-off")]
    (finding,) = (f for f in verdict.errors if not f.downstream)
    assert "make 'raw' return it" in finding.advice


def test_a_stage_that_began_to_read_an_index_is_the_place_where_the_index_was_there_at_capture():
    """The stage before returned the same labels at training time: what changed is who reads them."""
    shifted = changed(features, lambda f: f.set_index(f.index[::-1]))
    reference = capture(shop(features=shifted), requests())
    verdict = run(shop(features=shifted, prediction=by_label), reference, BOTH)
    assert [f[:2] for f in origins(verdict)][-1] == ("golden", "prediction")


@pytest.mark.parametrize("kind", ["values", "raises"])
def test_a_later_stage_that_answers_differently_each_time_is_not_repeatable_and_no_hand_off(reference, kind):
    runs = iter(range(99))

    def flaky(frame):
        again = next(runs) % 2
        if again and kind == "raises":
            raise ValueError
        return prediction(frame).assign(score=lambda f: f["score"] + again)

    verdict = run(shop(prediction=flaky), reference, BOTH)
    assert origins(verdict) == [("golden", "prediction", "not-repeatable")]
    (finding,) = (f for f in verdict.errors if not f.downstream)
    assert "hand" not in finding.message
    assert "state kept between two calls" in finding.advice


def test_the_last_stage_of_the_chain_goes_through_the_checkpoint_too(reference):
    events = asked("golden", Trial(shop(), reference), "response")
    assert {a.name for a in all_of(Attachment, events)} == {
        "suites/response-chained.json", "results/response-chained.json",
    }  # fmt: skip
    (evaluated,) = all_of(Evaluated, events)
    assert evaluated.compared == 400
    assert not list(all_of(NotEvaluated, events))
