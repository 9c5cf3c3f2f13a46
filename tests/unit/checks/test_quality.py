"""An under-trained model fails, a better one passes, the same one never alarms, too few rows are not evaluated."""

from __future__ import annotations

import functools
import math

import numpy as np
import pandas as pd
import pytest

from seatrial import (
    Outcome,
    Pipeline,
    Policy,
    Quality,
    Reference,
    Severity,
    Stage,
    StagePolicy,
    Trial,
    capture,
    run,
)  # fmt: skip
from seatrial.checks.quality import check
from seatrial.checks.quality.bootstrap import discoveries
from seatrial.errors import PolicyError
from seatrial.events import Evaluated, Finding, Measurement, NotEvaluated

INPUTS = [f"x{i}" for i in range(6)]


@functools.cache
def rows(count: int = 2000, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(count, 6)), columns=INPUTS)
    logit = 1.5 * frame["x0"] - frame["x1"] + 0.7 * frame["x2"] * frame["x3"] - 1
    event = (rng.random(count) < 1 / (1 + np.exp(-logit))).astype(int)
    return frame.assign(
        id=[f"t-{i:05d}" for i in range(count)], event=event, country=rng.choice(["DE", "FR", "PT"], count)
    )


@functools.cache
def model(kind: str = "good", seed: int = 0):
    """A boosted tree on 4 000 rows; ``flipped`` has 20 % of its labels flipped, ``stump`` learns next to nothing."""
    from sklearn.ensemble import GradientBoostingClassifier

    train = rows(4000, seed + 100)
    labels = train["event"].to_numpy().copy()
    if kind == "flipped":
        flips = np.random.default_rng(seed).random(len(labels)) < 0.2
        labels[flips] = 1 - labels[flips]
    trees = {"stump": 1, "better": 60}.get(kind, 30)
    depth = {"stump": 1, "good": 2}.get(kind, 3)
    return GradientBoostingClassifier(n_estimators=trees, max_depth=depth, random_state=seed).fit(train[INPUTS], labels)


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def predict(frame: pd.DataFrame, model) -> pd.DataFrame:
    return frame[["id"]].assign(score=model.predict_proba(frame[INPUTS])[:, 1])


def path(prediction=predict) -> Pipeline:
    return Pipeline("p", key="id", model=lambda _: None, raw=same, prediction=prediction)


@functools.cache
def reference(count: int = 2000, label: str | None = "event") -> Reference:
    frame = rows(count)
    labels = None if label is None else frame[["id", "event"]].rename(columns={"event": label})
    return capture(path(), frame.drop(columns="event"), model=model(), labels=labels)


def trial(*, candidate=None, champion=None, count: int = 2000, label="event", prediction=predict, **of) -> Trial:
    settings = {"label": "event", "score": "score", "limits": {"roc_auc": 0.7}} | of
    policy = Policy({"prediction": StagePolicy(quality=Quality(**settings))})
    made = candidate or model()
    return Trial(path(prediction), reference(count, label), policy=policy, model=made, champion=champion)


def events(of: Trial) -> list:
    return list(check.check.run(of, "prediction"))


def findings(found: list, severity: Severity = Severity.ERROR) -> list[Finding]:
    return [e for e in found if isinstance(e, Finding) and e.severity is severity]


def not_evaluated(found: list) -> list[str]:
    return [e.reason for e in found if isinstance(e, NotEvaluated)]


# --- limits ----------------------------------------------------------------------------------------------


def test_only_stages_whose_policy_has_quality_are_checked() -> None:
    assert check.check.stages(trial()) == ["prediction"]
    assert check.check.stages(Trial(path(), reference(), model=model())) == []


def test_a_good_model_passes_its_limits_and_its_metrics_are_measured() -> None:
    found = events(trial(limits={"roc_auc": 0.7, "brier": 0.25, "log_loss": 0.6}))
    assert not findings(found)
    assert not not_evaluated(found)
    measured = {e.name: e.value for e in found if isinstance(e, Measurement)}
    assert measured["roc_auc.low"] < measured["roc_auc"] < measured["roc_auc.high"]
    assert measured["brier.low"] < measured["brier"] < measured["brier.high"]
    assert [e.compared for e in found if isinstance(e, Evaluated)] == [3 * 2000]


@pytest.mark.parametrize(("name", "limit"), [("roc_auc", 0.99), ("brier", 0.01)])
def test_a_missed_limit_is_a_finding_with_value_interval_and_rows(name: str, limit: float) -> None:
    (finding,) = findings(events(trial(limits={name: limit})))
    assert (finding.cause, finding.column) == ("limit-missed", "score")
    assert f"{limit:g}" in finding.message
    assert "90 % interval" in finding.message
    assert "2,000 rows" in finding.message
    assert finding.evidence["low"] < finding.evidence["value"] < finding.evidence["high"]


def test_a_model_trained_on_flipped_labels_misses_its_limits() -> None:
    limits = {"log_loss": 0.51}
    assert not findings(events(trial(limits=limits)))
    assert [f.cause for f in findings(events(trial(limits=limits, candidate=model("flipped"))))] == ["limit-missed"]


def test_the_end_to_end_replay_is_evaluated_not_the_stage_replay() -> None:
    def shuffled(frame):
        return frame.assign(x0=frame["x0"].to_numpy()[::-1], x1=0.0)

    broken = Pipeline("p", key="id", model=lambda _: None, raw=shuffled, prediction=predict)
    policy = Policy({"prediction": StagePolicy(quality=Quality("event", "score", {"roc_auc": 0.7}))})
    found = events(Trial(broken, reference(), policy=policy, model=model()))
    assert [f.cause for f in findings(found)] == ["limit-missed"]


def test_regression_is_evaluated_by_its_own_metrics() -> None:
    frame = rows().assign(y=rows()["x0"] * 3)
    prediction = Pipeline("r", key="id", raw=same, prediction=lambda f: f[["id"]].assign(score=f["x0"] * 3 + 0.1))
    recorded = capture(prediction, frame[["id", *INPUTS]], labels=frame[["id", "y"]])
    for limit, outcome in ((0.11, Outcome.PASS), (0.09, Outcome.FAIL)):
        policy = Policy({"prediction": StagePolicy(quality=Quality("y", "score", {"rmse": limit, "r2": 0.9}))})
        assert run(prediction, recorded, ["quality"], policy=policy).outcome is outcome


# --- against the champion -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "brier", "average_precision"])
def test_an_under_trained_model_is_worse_than_the_champion(name: str) -> None:
    limit = {name: 0.0 if name in ("roc_auc", "average_precision") else 2.0}
    kind = "flipped" if name in ("log_loss", "brier") else "stump"
    found = events(trial(limits=limit, candidate=model(kind), champion=model()))
    assert [f.cause for f in findings(found)] == ["worse-than-champion"]
    assert "the champion has" in findings(found)[0].message
    assert "on the same 2,000 rows" in findings(found)[0].message


def test_a_better_model_passes() -> None:
    of = trial(limits={"roc_auc": 0.7, "log_loss": 0.6}, candidate=model("better"), champion=model("stump"))
    found = events(of)
    assert not findings(found)
    assert not findings(found, Severity.WARNING)
    gain = next(e.value for e in found if isinstance(e, Measurement) and e.name == "roc_auc.gain")
    assert gain > 0.03


def test_the_same_model_never_alarms_against_itself_in_60_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seatrial.checks.quality.samples.RESAMPLES", 50)
    for seed in range(60):
        of = trial(count=400, champion=model(), limits={"roc_auc": 0.5, "f1": 0.0}, slices=["country"], margin=0.0)
        of.seed = seed
        found = events(of)
        assert not findings(found), seed
        assert not findings(found, Severity.WARNING) or {f.cause for f in findings(found, Severity.WARNING)} == {
            "slice-not-evaluated"
        }, seed


def test_models_of_equal_worth_alarm_in_less_than_one_in_twenty_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one-sided bound at 95 % alone would alarm in 5 %; the margin makes that less."""
    from seatrial.checks.quality.bootstrap import gain_of
    from seatrial.checks.quality.samples import LabelledSample
    from seatrial.metrics import METRICS, Predictions

    monkeypatch.setattr("seatrial.checks.quality.samples.RESAMPLES", 200)
    m, alarms = METRICS["roc_auc"], 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=400)
        y = (truth + rng.normal(size=400) > 0).astype(float)
        a, b = (Predictions(y, truth + 0.5 * rng.normal(size=400)) for _ in range(2))
        data = LabelledSample(pd.DataFrame({"id": range(400)}), {"version": a, "champion": b})
        d = gain_of(data, m, data.bootstrap([m], [seed])["roc_auc"], "champion")
        alarms += d.gain < -d.margin(0.005) and d.bounds(0.95)[1] < 0
    assert alarms <= 16  # 5 % of 200, and three standard deviations above are 19


def test_too_few_rows_are_a_warning_with_the_number_that_is_enough() -> None:
    gains = []
    for seeds in ((0, 1), (1, 0)):
        candidate, champion = (model("good", seed=s) for s in seeds)
        found = events(trial(count=400, candidate=candidate, champion=champion, margin=0.0001))
        (warning,) = findings(found, Severity.WARNING)
        assert warning.cause == "too-few-rows"
        assert "rows would be enough" in warning.message
        assert not findings(found)
        gains.append(warning.evidence["gain"])
    assert min(gains) < -0.0001 < max(gains), "a worse value alone proves nothing, nor does a better one"


def test_a_champion_that_fails_is_not_evaluated_and_is_no_fault_of_the_candidate() -> None:
    found = events(trial(champion=object()))
    assert not findings(found)
    assert "champion cannot be run" in not_evaluated(found)[0]


def test_the_path_after_the_model_runs_with_the_champion_too() -> None:
    def decide(frame, model):
        return frame[["id"]].assign(decided=frame["score"] if model.max_depth == 2 else 0.5)

    pipeline = Pipeline("p", key="id", model=lambda _: None, raw=same, prediction=predict, decision=decide)
    recorded = capture(pipeline, rows().drop(columns="event"), model=model(), labels=rows()[["id", "event"]])
    policy = Policy({"decision": StagePolicy(quality=Quality("event", "decided", {"roc_auc": 0.1}))})
    of = Trial(pipeline, recorded, policy=policy, model=model("better"), champion=model())
    assert [f.cause for f in findings(list(check.check.run(of, "decision")))] == ["worse-than-champion"]


# --- slices ----------------------------------------------------------------------------------------------


def worse_in_france(frame, model):
    out = predict(frame, model)
    if model.max_depth == 3:
        out.loc[frame["country"] == "FR", "score"] = 0.4
    return out


def test_a_slice_that_got_worse_is_named_although_all_rows_together_did_not() -> None:
    of = trial(
        candidate=model("better"), champion=model(), prediction=worse_in_france, slices=["country"], margin=0.3 / 2
    )
    (finding,) = findings(events(of))
    assert finding.cause == "worse-than-champion"
    assert "in slice country:FR" in finding.message


def test_what_is_worse_over_all_rows_is_not_repeated_for_every_slice() -> None:
    found = events(trial(limits={"roc_auc": 0.0}, candidate=model("stump"), champion=model(), slices=["country"]))
    (finding,) = findings(found)
    assert "in slice" not in finding.message
    assert "roc_auc.gain/country:FR" in {e.name for e in found if isinstance(e, Measurement)}


def test_without_a_champion_slices_are_measured_only() -> None:
    found = events(trial(slices=["country"]))
    measured = {e.name for e in found if isinstance(e, Measurement)}
    assert {"roc_auc/country:DE", "roc_auc/country:FR", "roc_auc/country:PT"} <= measured
    assert not findings(found)


def test_a_slice_column_without_enough_rows_is_a_warning_and_a_misspelt_one_a_policy_error() -> None:
    (warning,) = findings(events(trial(slices=["x0"])), Severity.WARNING)
    assert warning.cause == "slice-not-evaluated"
    with pytest.raises(PolicyError, match="Did you mean 'country'"):
        events(trial(slices=["contry"]))


def test_thirty_slices_of_chance_do_not_alarm() -> None:
    rng = np.random.default_rng(0)
    raised = sum(any(discoveries(rng.random(30).tolist(), 0.05)) for _ in range(400))
    assert raised / 400 < 0.08
    assert discoveries([0.0005, *[0.5] * 29], 0.05) == [True, *[False] * 29]
    assert discoveries([0.02, 0.04, math.nan], 0.061) == [True, True, False]  # 0.04 · 3 / 2 = 0.06
    assert discoveries([0.02, 0.05, math.nan], 0.061) == [True, False, False]
    assert discoveries([], 0.05) == []


# --- what cannot be evaluated ---------------------------------------------------------------------------------


def test_no_labels_is_not_evaluated() -> None:
    of = trial(label=None)
    assert "no labels" in not_evaluated(events(of))[0]
    verdict = run(of.pipeline, of.reference, ["quality"], policy=of.policy, model=model())
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_a_label_of_another_name_is_not_evaluated_and_the_nearest_is_named() -> None:
    (reason,) = not_evaluated(events(trial(label="evnt")))
    assert "Did you mean 'evnt'" in reason


def test_labels_that_are_no_events_are_not_evaluated() -> None:
    frame = rows()
    recorded = capture(path(), frame.drop(columns="event"), model=model(), labels=frame[["id", "x0"]])
    policy = Policy({"prediction": StagePolicy(quality=Quality("x0", "score", {"roc_auc": 0.7}))})
    (reason,) = not_evaluated(events(Trial(path(), recorded, policy=policy, model=model())))
    assert "1 or true" in reason


def test_few_rows_and_few_events_are_inconclusive_and_give_the_number_that_is_needed() -> None:
    (reason,) = not_evaluated(events(trial(count=150)))
    assert "150" in reason
    assert "200 are needed" in reason
    frame = rows(400).assign(event=0)
    frame.loc[:5, "event"] = 1
    recorded = capture(path(), frame.drop(columns="event"), model=model(), labels=frame[["id", "event"]])
    policy = Policy({"prediction": StagePolicy(quality=Quality("event", "score", {"roc_auc": 0.7}))})
    found = events(Trial(path(), recorded, policy=policy, model=model()))
    assert "6 events" in not_evaluated(found)[0]
    assert not [e for e in found if isinstance(e, Evaluated)]


def test_rows_without_a_known_label_are_left_out() -> None:
    frame = rows()
    labels = frame[["id", "event"]].astype({"event": "Int64"})
    labels.loc[:999, "event"] = pd.NA
    recorded = capture(path(), frame.drop(columns="event"), model=model(), labels=labels)
    policy = Policy({"prediction": StagePolicy(quality=Quality("event", "score", {"roc_auc": 0.7}))})
    found = events(Trial(path(), recorded, policy=policy, model=model()))
    assert [e.compared for e in found if isinstance(e, Evaluated)] == [1000]


@pytest.mark.parametrize("labels", [lambda e: e.astype(bool), lambda e: e.astype("boolean"), lambda e: e * 1.0])
def test_events_may_be_true_or_one(labels) -> None:
    frame = rows()
    recorded = capture(
        path(), frame.drop(columns="event"), model=model(), labels=frame[["id"]].assign(event=labels(frame["event"]))
    )
    policy = Policy({"prediction": StagePolicy(quality=Quality("event", "score", {"roc_auc": 0.7}))})
    found = events(Trial(path(), recorded, policy=policy, model=model()))
    assert not findings(found)
    assert not not_evaluated(found)


def test_an_unknown_metric_or_a_margin_out_of_range_is_refused_where_it_is_written() -> None:
    with pytest.raises(PolicyError, match="Did you mean 'roc_auc'"):
        Quality("event", "score", {"rocauc": 0.7})
    with pytest.raises(PolicyError, match="margin"):
        Quality("event", "score", {}, margin=-1)
    with pytest.raises(PolicyError, match="confidence"):
        Quality("event", "score", {}, confidence=95)
    assert "names no metric" in not_evaluated(events(trial(limits={})))[0]


# --- scores that are none ----------------------------------------------------------------------------------


def test_a_missing_score_column_fails_and_names_the_nearest() -> None:
    (finding,) = findings(events(trial(prediction=lambda f, model: f[["id"]].assign(scores=0.5))))
    assert finding.cause == "no-score"
    assert "Did you mean 'scores'" in finding.message


def test_rows_lost_on_the_way_or_scored_null_fail_and_are_named() -> None:
    def half(frame, model):
        out = predict(frame, model)
        out.loc[5, "score"] = np.nan
        return out.iloc[2:]

    (finding,) = findings(events(trial(prediction=half)))
    assert finding.cause == "no-score"
    assert finding.evidence["keys"] == ["t-00000", "t-00001", "t-00005"]


def test_scores_that_are_no_probabilities_fail_the_metrics_that_need_them() -> None:
    def logits(frame, model):
        return predict(frame, model).assign(score=lambda f: np.log(f["score"] / (1 - f["score"])))

    found = events(trial(prediction=logits, limits={"roc_auc": 0.7, "brier": 0.25}))
    assert [f.cause for f in findings(found)] == ["not-a-probability"]
    assert "roc_auc" in {e.name for e in found if isinstance(e, Measurement)}


def test_labels_belong_to_rows_of_several_key_columns_or_to_requests():
    """The label of an item is compared with the score of that item; a label of a request has no row of its own."""
    rng = np.random.default_rng(5)
    requests = pd.DataFrame({"user": np.arange(150) // 3, "at": np.arange(150) % 3, "x": rng.normal(size=150)})

    def fan_out(frame: pd.DataFrame) -> pd.DataFrame:
        item = np.tile(np.arange(4), len(frame))
        return frame.loc[frame.index.repeat(4)].reset_index(drop=True).assign(item=item)

    def score(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(score=1 / (1 + np.exp(-frame["x"] - frame["item"])))

    key = ("user", "at", "item")
    pipeline = Pipeline("p", key=("user", "at"), raw=same, items=Stage(fan_out, key=key), ranked=Stage(score, key=key))
    scored = score(fan_out(requests))
    labels = scored[[*key]].assign(event=(rng.uniform(size=len(scored)) < scored["score"]).astype(int))
    quality = Quality(label="event", score="score", limits={"roc_auc": 0.6}, slices=("item",))
    policy = Policy({"ranked": StagePolicy(quality=quality)})
    shuffled = labels.sample(frac=1, random_state=0)
    reference = capture(pipeline, requests, labels=shuffled)
    found = list(check.check.run(Trial(pipeline, reference, policy=policy), "ranked"))
    value = next(e.value for e in found if isinstance(e, Measurement) and e.name == "roc_auc")
    from sklearn.metrics import roc_auc_score

    assert value == pytest.approx(roc_auc_score(labels["event"], scored["score"]))
    of_requests = labels.drop_duplicates(["user", "at"])[["user", "at", "event"]]
    reference = capture(pipeline, requests, labels=of_requests)
    said = list(check.check.run(Trial(pipeline, reference, policy=policy), "ranked"))
    assert any(isinstance(e, NotEvaluated) and "have no column 'item'" in e.reason for e in said), said


def test_labels_of_rows_that_a_later_stage_cuts_or_aggregates_are_kept():
    """Each stage is judged on the rows that it has, whatever comes after it."""
    rng = np.random.default_rng(6)
    key = ("id", "item")
    rows = pd.DataFrame(
        {"id": np.repeat(np.arange(60), 8), "item": np.tile(np.arange(8), 60), "x": rng.normal(size=480)}
    )

    def best(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.sort_values(["id", "x"], ascending=[True, False], ignore_index=True).groupby("id").head(4)

    pipeline = Pipeline(
        "p", key="id", raw=Stage(same, key=key), scored=Stage(lambda f: f.assign(score=f["x"]), key=key),
        page=Stage(best, key=key), answer=lambda f: f.groupby("id", as_index=False)["score"].max(),
    )  # fmt: skip
    labels = rows[[*key]].assign(bought=(rows["x"] + rng.normal(size=480) > 1).astype(int))
    worth = StagePolicy(quality=Quality("bought", "score", {"map": 0.1}))
    policy = Policy({"scored": worth, "page": worth})
    reference = capture(pipeline, rows, labels=labels)
    for stage, judged in (("scored", 480), ("page", 240)):
        events = list(check.check.run(Trial(pipeline, reference, policy=policy), stage))
        assert [e.message for e in events if isinstance(e, Finding) and e.severity is Severity.ERROR] == []
        assert next(e for e in events if isinstance(e, Evaluated)).compared == judged
    of_requests = labels.drop_duplicates("id").assign(item=3)  # the item that was bought is the label
    assert list(capture(pipeline, rows, labels=of_requests[["id", "item"]]).labels) == ["id", "item"]
