"""Each task through the front door: a clean version passes, a worse one fails, and what cannot be told is told."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Policy, Quality, Severity, StagePolicy, Verdict, capture, run

ROWS = 800
SPECIES = ("setosa", "versicolor", "virginica")
P = {c: f"p_{c}" for c in SPECIES}


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for these effects, and quick."""
    monkeypatch.setattr("seatrial.checks.quality.samples.RESAMPLES", 200)


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


@functools.cache
def table(rows: int = ROWS) -> pd.DataFrame:
    """One row a request, with a label of every kind and how noisy a prediction of it is."""
    rng = np.random.default_rng(4)
    kind = rng.integers(0, 3, rows)
    return pd.DataFrame(
        {
            "id": [f"r-{i:04d}" for i in range(rows)],
            "truth": rng.normal(size=rows),
            "kind": kind,
            "noise": rng.normal(size=rows),
            "sex": rng.choice(["a", "b"], rows),
            "query": np.arange(rows) // 8,
            "naive": rng.normal(size=rows),
        }
    )


def answers(frame: pd.DataFrame, noise: float) -> pd.DataFrame:
    """Return predictions of everything, worse where the noise is larger."""
    truth = frame["truth"] + noise * frame["noise"]
    logits = np.stack([2.0 * (frame["kind"] == c) + noise * frame["noise"] * (c - 1) for c in range(3)], axis=1)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return frame[["id"]].assign(
        number=truth,
        second=-truth,
        rank=truth,
        probability=1 / (1 + np.exp(-4 * truth)),
        species=np.array(SPECIES)[p.argmax(axis=1)],
        decision=np.where(truth > 0, "fraud", "legit"),
        **{P[c]: p[:, i] for i, c in enumerate(SPECIES)},
    )


def labels(frame: pd.DataFrame) -> pd.DataFrame:
    relevance = np.where(frame["truth"] > 1, 2, np.where(frame["truth"] > 0, 1, 0))
    return frame[["id"]].assign(
        y=frame["truth"],
        minus=-frame["truth"],
        event=(frame["truth"] > 0).astype(int),
        fraud=np.where(frame["truth"] > 0, "fraud", "legit"),
        species=np.array(SPECIES)[frame["kind"]],
        code=frame["kind"],
        relevance=relevance,
        age=np.where(frame["noise"] > 0, "old", "young"),
        guess=np.where(frame["kind"] == 0, "setosa", "versicolor"),
        p_guess=(frame["naive"] > 0) * 0.2 + 0.4,
    )


def judged(
    quality: Any, noise: float = 0.3, *, prediction: Any = None, champion: float | None = None, rows: int = ROWS,
    asked: Any = labels,
) -> Verdict:  # fmt: skip
    def predict(frame: pd.DataFrame, model: float) -> pd.DataFrame:
        return answers(frame, model)

    def path(last: Any) -> Pipeline:
        return Pipeline("p", key="id", model=lambda _: None, raw=same, prediction=last)

    frame = table(rows)
    reference = capture(path(predict), frame, model=0.3, labels=asked(frame))
    policy = Policy({"prediction": StagePolicy(quality=quality)})
    return run(path(prediction or predict), reference, ["quality"], policy=policy, model=noise, champion=champion)


def causes(verdict: Verdict, severity: Severity = Severity.ERROR) -> list[str | None]:
    return [f.cause for f in verdict.findings if f.severity is severity]


def reason(verdict: Verdict) -> str:
    assert verdict.outcome is Outcome.INCONCLUSIVE, verdict.summary
    return " ".join(n.reason for n in verdict.not_evaluated)


TASKS = {
    "events": Quality("event", "probability", {"roc_auc": 0.9, "brier": 0.15, "f1": 0.8, "ece": 0.1}),
    "text events": Quality("fraud", "probability", {"average_precision": 0.9}, positive="fraud"),
    "decisions": Quality("fraud", predicted="decision", limits={"recall": 0.8, "f1": 0.8}, positive="fraud"),
    "threshold": Quality("event", "number", {"accuracy": 0.85}, threshold=0.0),
    "classes": Quality(
        "species", scores=P, limits={"log_loss": 0.6, "f1_macro": 0.85, "roc_auc_ovo": 0.9, "cohen_kappa": 0.8}
    ),
    "predicted classes": Quality("species", predicted="species", limits={"balanced_accuracy": 0.85}),
    "coded classes": Quality("code", scores=dict(enumerate(P.values())), limits={"accuracy": 0.85, "ece@5": 0.4}),
    "numbers": Quality("y", "number", {"rmse": 0.5, "r2": 0.8, "pinball@0.9": 0.2}),
    "two outputs": [Quality("y", "number", {"mae": 0.4}), Quality("minus", "second", {"r2": 0.8})],
    "ranking": Quality("relevance", "rank", {"ndcg@5": 0.9, "map@5": 0.8, "mrr": 0.9}, request="query"),
}  # fmt: skip


@pytest.mark.parametrize("task", TASKS)
def test_a_clean_version_passes_and_a_worse_one_fails(task: str) -> None:
    quality = TASKS[task]
    clean, worse = judged(quality), judged(quality, 4.0)
    assert clean.outcome is Outcome.PASS, clean.summary
    assert worse.outcome is Outcome.FAIL
    assert set(causes(worse)) == {"limit-missed"}
    several = quality if isinstance(quality, list) else [quality]
    assert {m.name for m in clean.measurements} >= {name for q in several for name in q.limits}
    assert {f.column for f in worse.errors} <= {q.column for q in several}


@pytest.mark.parametrize("task", ["events", "classes", "numbers", "ranking"])
def test_a_version_worse_than_the_champion_fails(task: str) -> None:
    found = TASKS[task]
    assert isinstance(found, Quality)
    lenient = {m.name: max(m.range[0], -99.0) if m.better == "higher" else min(m.range[1], 99.0) for m in found.metrics}
    quality = Quality(found.label, found.score, lenient, scores=found.scores, request=found.request)
    assert causes(judged(quality, 4.0, champion=0.3)) == ["worse-than-champion"] * len(lenient)
    same_model = judged(quality, 0.3, champion=0.3)
    assert same_model.outcome is Outcome.PASS, same_model.summary


# --- a baseline ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quality",
    [
        Quality("event", "probability", {"roc_auc": 0.0, "log_loss": 9.0}, baseline="prior"),
        Quality("event", "probability", {"roc_auc": 0.0, "brier": 1.0}, baseline="p_guess"),
        Quality("species", scores=P, limits={"log_loss": 9.0, "accuracy": 0.0}, baseline="prior"),
        Quality("species", predicted="species", limits={"f1_macro": 0.0}, baseline="guess"),
        Quality("y", "number", {"r2": -99.0, "rmse": 99.0}, baseline="mean"),
        Quality("y", "number", {"mae": 99.0}, baseline="median"),
        Quality("y", "number", {"mae": 99.0}, baseline="naive"),
        Quality("relevance", "rank", {"ndcg@5": 0.0}, request="query", baseline="naive"),
    ],
    ids=lambda q: f"{q.task} {q.baseline}",
)
def test_a_version_must_beat_its_baseline(quality: Quality) -> None:
    def constant(frame: pd.DataFrame, model: float) -> pd.DataFrame:
        out = answers(frame, 0.3)
        shuffled = np.random.default_rng(9).permutation(len(out))
        return out.assign(**{c: out[c].to_numpy()[shuffled] for c in out.columns if c != "id"})

    good, bad = judged(quality), judged(quality, prediction=constant)
    assert good.outcome is Outcome.PASS, good.summary
    if quality.baseline not in ("p_guess", "naive"):
        assert bad.outcome is Outcome.FAIL, bad.summary
        assert set(causes(bad)) == {"not-better-than-baseline"}
        assert "the policy requires it to be better" in bad.errors[0].message
    else:
        assert bad.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)


def test_a_version_as_good_as_its_baseline_is_not_better_but_may_be_declared_enough() -> None:
    def prior(frame: pd.DataFrame, model: float) -> pd.DataFrame:
        return answers(frame, 0.3).assign(probability=0.5)

    limits = {"roc_auc": 0.0}
    strict = judged(Quality("event", "probability", limits, baseline="prior"), prediction=prior)
    assert "It is not better" in strict.errors[0].message
    lenient = Quality("event", "probability", limits, baseline="prior", baseline_margin=0.05)
    assert judged(lenient, prediction=prior).outcome is Outcome.PASS


def test_too_few_rows_to_beat_a_baseline_are_inconclusive_with_the_number_that_is_enough() -> None:
    quality = Quality("event", "probability", {"roc_auc": 0.0}, baseline="prior")
    verdict = judged(quality, -6.0, rows=300)
    assert "rows would be enough" in reason(verdict)
    assert "not enough rows to decide whether it is better" in reason(verdict)


def test_a_baseline_that_is_not_there_names_the_nearest() -> None:
    verdict = judged(Quality("y", "number", {"mae": 9.0}, baseline="naiv"))
    assert verdict.outcome is Outcome.ERROR
    assert "Did you mean 'naive'" in verdict.not_evaluated[0].reason


def test_a_baseline_without_scores_is_compared_by_decisions_alone() -> None:
    quality = Quality("species", scores=P, limits={"log_loss": 9.0, "accuracy": 0.0}, baseline="guess")
    verdict = judged(quality)
    assert "log_loss of baseline 'guess' is not known: it holds classes" in reason(verdict)
    assert "accuracy.baseline.gain" in {m.name for m in verdict.measurements}


# --- groups --------------------------------------------------------------------------------------------------


def unfair(frame: pd.DataFrame, model: float) -> pd.DataFrame:
    out = answers(frame, 0.3)
    return out.assign(probability=out["probability"].where(frame["sex"] == "a", out["probability"] * 0.52))


FAIR = {"equal_opportunity_difference": 0.2, "roc_auc_worst": 0.8, "demographic_parity_ratio": 0.6}


def test_groups_that_are_treated_alike_pass_and_others_fail() -> None:
    quality = Quality("event", "probability", groups={"sex": FAIR})
    fair, found = judged(quality), judged(quality, prediction=unfair)
    assert fair.outcome is Outcome.PASS, fair.summary
    assert causes(found) == ["groups-apart", "groups-apart"]
    assert "equal_opportunity_difference over 'sex' is" in found.errors[0].message
    assert "recall is" in found.errors[0].message
    assert "in 'b'" in found.errors[0].message
    assert {m.name for m in fair.measurements} >= {"recall/sex:a", "roc_auc_worst/sex"}


def test_groups_of_the_labels_and_of_numbers_and_ranking() -> None:
    numbers = Quality("y", "number", groups={"age": {"mae_ratio": 0.5, "rmse_difference": 0.3}})
    assert judged(numbers).outcome is Outcome.PASS
    species = Quality("species", scores=P, groups={"sex": {"f1_macro_worst": 0.8}})
    assert judged(species).outcome is Outcome.PASS
    assert causes(judged(species, 4.0)) == ["groups-apart"]


def test_groups_apart_by_chance_alone_are_inconclusive() -> None:
    verdict = judged(Quality("event", "probability", groups={"sex": {"recall_difference": 0.0}}))
    assert "There are not enough rows to decide" in reason(verdict)


@pytest.mark.parametrize("name", ["recall_difference", "recall_ratio", "recall_worst"])
def test_equal_groups_hardly_ever_fail_and_others_do(name: str) -> None:
    """Five groups of 200 rows of one true rate at its limit; then with one group that is far beyond it."""
    from seatrial.metrics import group_metric

    rng, metric = np.random.default_rng(0), group_metric(name)
    limit = {"difference": 0.0, "ratio": 1.0, "worst": 0.8}[metric.how]
    rates = rng.binomial(200, 0.8, (400, 1, 5)) / 200
    apart = [metric.beyond(limit, r, np.sqrt(r * (1 - r) / 200), 0.95)[0] > 0 for r in rates]
    assert sum(apart) <= 31  # 5 % of 400, and two and a half standard deviations
    rates[:, :, 0] = rng.binomial(200, 0.55, (400, 1)) / 200
    assert all(metric.beyond(limit, r, np.sqrt(r * (1 - r) / 200), 0.95)[0] > 0 for r in rates)


def test_a_group_with_few_rows_is_left_out_and_one_group_alone_is_not_compared() -> None:
    def labelled(frame: pd.DataFrame) -> pd.DataFrame:
        return labels(frame).assign(size=["rare" if i < 9 else "big" for i in range(len(frame))])

    quality = Quality("event", "probability", groups={"size": {"recall_difference": 0.1}})
    verdict = judged(quality, asked=labelled)
    assert "1 of 2 groups have enough labelled rows, and two are needed" in reason(verdict)
    assert causes(verdict, Severity.WARNING) == ["group-not-evaluated"]
    assert "'rare': 9 labelled rows of 200 needed" in verdict.findings[0].message
    misspelt = judged(Quality("event", "probability", groups={"sx": {"recall_difference": 0.1}}))
    assert "Group 'sx' of stage 'prediction' is not a column" in misspelt.not_evaluated[0].reason
    assert "Did you mean 'sex'" in misspelt.not_evaluated[0].reason


# --- what is wrong with labels and predictions ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("quality", "says"),
    [
        (Quality("fraud", "probability", {"roc_auc": 0.5}), r"found fraud, legit \(text\). Set positive="),
        (Quality("fraud", "probability", {"roc_auc": 0.5}, positive="frau"), "Did you mean 'fraud'"),
        (Quality("event", "probability", {"roc_auc": 0.5}, positive="1"), "No label in 'event' is positive='1'"),
        (Quality("y", "probability", {"roc_auc": 0.5}), "800 different numbers. For numbers use metrics of numbers"),
        (Quality("species", "number", {"rmse": 0.5}), "must be finite numbers for rmse, but 800 of 800 labels"),
        (Quality("y", predicted="species", limits={"f1_macro": 0.5}), "No value of 'species' is a class"),
        (Quality("y", "rank", {"ndcg": 0.5}, request="query"), "negative values; a relevance is 0 or more"),
        (Quality("relevance", "number", {"mape": 0.5}), "mape divides by the label"),
        (Quality("species", scores={"setosa": "p_setosa", "virginica": "p_virginica"}, limits={"f1_macro": 0.5}),
         "are of a class that 'scores' does not name"),
        (Quality("specis", predicted="species", limits={"f1_macro": 0.5}), "Did you mean 'species'"),
        (Quality("relevance", "rank", {"ndcg": 0.5}), "Set request= to the column"),
        (Quality("relevance", "rank", {"ndcg": 0.5}, request="quer"), "Did you mean 'query'"),
        (Quality("relevance", "rank", {"ndcg": 0.5}, request="sex"), "2 requests with rows of different relevance"),
    ],
)  # fmt: skip
def test_labels_that_do_not_suit_the_metrics_are_refused_in_a_sentence(quality: Quality, says: str) -> None:
    import re

    verdict = judged(quality)
    found = [n.reason for n in verdict.not_evaluated] + [f.message for f in verdict.errors]
    assert any(re.search(says, text) for text in found), found
    assert not any("Error" in text or "Traceback" in text for text in found), found
    assert verdict.outcome is not Outcome.PASS


HOSTILE = {
    "nan": lambda s: s.where(s.index != 3, np.nan),
    "infinite": lambda s: s.where(s.index != 3, np.inf),
    "text": lambda s: s.map(str),
    "bytes": lambda s: s.map(lambda v: str(v).encode()),
    "lists": lambda s: s.map(lambda v: [v]),
    "complex": lambda s: s.astype(complex),
    "times": lambda s: pd.to_datetime(s.rank() * 1e9),
    "durations": lambda s: pd.to_timedelta(s.rank()),
    "null": lambda s: s.astype(object).where(s.index > 9, None),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_scores_that_are_none_fail_with_their_count_and_never_crash(kind: str) -> None:
    def predict(frame: pd.DataFrame, model: float) -> pd.DataFrame:
        out = answers(frame, 0.3)
        return out.assign(number=HOSTILE[kind](out["number"]))

    verdict = judged(Quality("y", "number", {"r2": 0.5}), prediction=predict)
    assert verdict.outcome is Outcome.FAIL, verdict.summary
    assert causes(verdict)[0] == "no-score"
    lost = {"nan": 1, "infinite": 1, "null": 10}.get(kind, ROWS)
    assert verdict.errors[0].evidence["count"] == lost


@pytest.mark.parametrize(
    "dtype", ["float32", "Float64", "object", "decimal", "double[pyarrow]", "category", "bool", "int8", "float16"]
)
def test_scores_of_every_numeric_type_are_read(dtype: str) -> None:
    from decimal import Decimal

    def predict(frame: pd.DataFrame, model: float) -> pd.DataFrame:
        number = answers(frame, 0.3)["number"].round(2)
        whole = number > 0
        cast = {"decimal": number.map(lambda v: Decimal(str(v))), "bool": whole, "int8": whole.astype("int8")}
        return frame[["id"]].assign(number=cast[dtype] if dtype in cast else number.astype(dtype))

    verdict = judged(Quality("event", "number", {"roc_auc": 0.8}), prediction=predict)
    assert verdict.outcome is Outcome.PASS, verdict.summary


def test_labels_in_seconds_since_1970_are_judged_by_what_is_explained() -> None:
    """The variance of labels far from 0 must not cancel: 0.08 explained once passed a limit of 0.9."""

    def seconds(frame: pd.DataFrame) -> pd.DataFrame:
        return labels(frame).assign(y=1.7e9 + frame["truth"])

    def predict(frame: pd.DataFrame, model: float) -> pd.DataFrame:
        return frame[["id"]].assign(number=1.7e9 + frame["truth"] + model * frame["noise"])

    quality = Quality("y", "number", {"r2": 0.9})
    assert judged(quality, 0.1, prediction=predict, asked=seconds).outcome is Outcome.PASS
    bad = judged(quality, 0.96, prediction=predict, asked=seconds)
    assert causes(bad) == ["limit-missed"]
    assert abs(bad.errors[0].evidence["value"]) < 0.3


def test_constant_labels_and_a_class_without_rows_are_not_evaluated() -> None:
    def constant(frame: pd.DataFrame) -> pd.DataFrame:
        return labels(frame).assign(y=0.1, species=np.where(frame["kind"] == 0, "setosa", "virginica"))

    assert "All 800 labels are equal" in reason(judged(Quality("y", "number", {"r2": -9.0}), asked=constant))
    no_versicolor = judged(Quality("species", scores=P, limits={"roc_auc_ovr": 0.0}), asked=constant)
    assert "roc_auc_ovr is not defined" in reason(no_versicolor)


def test_probabilities_of_classes_must_sum_to_one() -> None:
    def predict(frame: pd.DataFrame, model: float) -> pd.DataFrame:
        out = answers(frame, 0.3)
        return out.assign(p_setosa=out["p_setosa"] / 2)

    verdict = judged(Quality("species", scores=P, limits={"log_loss": 9.0, "f1_macro": 0.0}), prediction=predict)
    assert causes(verdict) == ["not-a-probability"]
    assert "do not sum to 1" in verdict.errors[0].message
    assert "f1_macro" in {m.name for m in verdict.measurements}


def test_classes_written_otherwise_are_named_as_the_cause() -> None:
    def predict(frame: pd.DataFrame, model: float) -> pd.DataFrame:
        return answers(frame, 0.3).assign(species=frame["kind"])

    verdict = judged(Quality("species", predicted="species", limits={"f1_macro": 0.5}), prediction=predict)
    assert causes(verdict)[0] == "other-classes"
    assert "Labels are of type str, predictions int" in verdict.errors[0].message


def test_rare_classes_and_requests_without_relevance_are_told() -> None:
    def labelled(frame: pd.DataFrame) -> pd.DataFrame:
        out = labels(frame)
        out.loc[:4, "species"] = "rare"
        out.loc[out.index < 40, "relevance"] = 0
        return out

    rare = judged(Quality("species", predicted="species", limits={"f1_macro": 0.5}), asked=labelled)
    assert "1 of 4 classes have fewer than 20 labelled rows, such as 'rare'" in rare.findings[0].message
    ranking = judged(Quality("relevance", "rank", {"ndcg": 0.5}, request="query"), asked=labelled)
    assert ranking.outcome is Outcome.PASS
    assert "5 of 100 requests" in ranking.findings[0].message


def test_one_of_two_qualities_that_cannot_be_evaluated_makes_the_run_inconclusive() -> None:
    both = [Quality("y", "number", {"mae": 0.5}), Quality("lost", "second", {"mae": 0.5})]
    assert "no column 'lost'" in reason(judged(both))


def test_the_interval_of_very_many_rows_comes_from_a_part_and_is_as_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    from seatrial.checks.quality.samples import LabelledSample
    from seatrial.metrics import METRICS, Predictions

    rng = np.random.default_rng(0)
    requests = np.repeat(np.arange(2500), 2)
    for codes, names in ((None, ["rmse", "r2"]), (requests, ["rmse"])):
        y = rng.normal(size=5000)
        found = Predictions(y, y + rng.normal(size=5000), requests=codes)
        data = LabelledSample(pd.DataFrame({"id": range(5000)}), {"version": found})
        metrics = [METRICS[name] for name in names]
        monkeypatch.setattr("seatrial.checks.quality.samples.MOST_ROWS", 5000)
        whole = data.bootstrap(metrics, [0])
        monkeypatch.setattr("seatrial.checks.quality.samples.MOST_ROWS", 1000)
        part = data.bootstrap(metrics, [0])
        for m in metrics:
            wide, narrow = whole[m.name]["version"], part[m.name]["version"]
            assert narrow.std() == pytest.approx(wide.std(), rel=0.25)
            assert narrow.mean() == pytest.approx(m.value(found), abs=3 * wide.std())
