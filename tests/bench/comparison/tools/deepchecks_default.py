"""Deepchecks' two suites with their own conditions: the held-out customers of training against what was served."""

import json
import sys

import pandas as pd
from deepchecks.tabular import Dataset
from deepchecks.tabular.suites import model_evaluation, train_test_validation

FEATURES = ["hour", "bill", "tenure", "usage", "complaints"]


def dataset(path):
    frame = pd.read_csv(path)
    data = Dataset(frame[[*FEATURES, "left"]], label="left", cat_features=[])
    return data, (frame["risk"] >= 0.5).astype(int), pd.DataFrame({0: 1 - frame["risk"], 1: frame["risk"]}).to_numpy()


train, train_labels, train_scores = dataset("previous/held_out_served.csv")
test, test_labels, test_scores = dataset(sys.argv[1])
predicted = {
    "y_pred_train": train_labels, "y_pred_test": test_labels,
    "y_proba_train": train_scores, "y_proba_test": test_scores,
}  # fmt: skip
failed = [
    f"{result.get_header()}: {condition.details}"
    for suite in (train_test_validation(), model_evaluation())
    for result in suite.run(train, test, **predicted).get_not_passed_checks()
    for condition in result.conditions_results
    if condition.category.name == "FAIL"
]
print(json.dumps({"failed": failed}))
