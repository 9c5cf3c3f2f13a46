"""Deepchecks on the recorded requests, before and now, where nothing may move: its own checks with tight conditions."""

import json
import sys

import pandas as pd
from deepchecks.tabular import Dataset, Suite
from deepchecks.tabular.checks import FeatureDrift, PredictionDrift, TrainTestPerformance

FEATURES = ["hour", "bill", "tenure", "usage", "complaints"]


def dataset(path):
    frame = pd.read_csv(path)
    data = Dataset(frame[[*FEATURES, "left"]], label="left", cat_features=[])
    return data, (frame["risk"] >= 0.5).astype(int), pd.DataFrame({0: 1 - frame["risk"], 1: frame["risk"]}).to_numpy()


before, labels_before, scores_before = dataset("recorded/reference_served.csv")
now, labels_now, scores_now = dataset(sys.argv[1])
suite = Suite(
    "the same requests",
    FeatureDrift(min_samples=1).add_condition_drift_score_less_than(max_allowed_numeric_score=0.01),
    PredictionDrift(drift_mode="proba", min_samples=1).add_condition_drift_score_less_than(0.01),
    TrainTestPerformance().add_condition_train_test_relative_degradation_less_than(0.01),
)
ran = suite.run(
    before, now, y_pred_train=labels_before, y_pred_test=labels_now,
    y_proba_train=scores_before, y_proba_test=scores_now,
)  # fmt: skip
failed = [
    f"{result.get_header()}: {condition.details}"
    for result in ran.get_not_passed_checks()
    for condition in result.conditions_results
    if condition.category.name == "FAIL"
]
print(json.dumps({"failed": failed}))
