"""Evidently on the recorded requests, before and now, where nothing may move: a distance, and a tight threshold."""

import json
import sys

import pandas as pd
from evidently import BinaryClassification, DataDefinition, Dataset, Report
from evidently.presets import ClassificationPreset, DataDriftPreset

COLUMNS = ["customer_id", "hour", "bill", "tenure", "usage", "complaints", "risk", "left"]
DEFINITION = DataDefinition(
    id_column="customer_id",
    numerical_columns=["hour", "bill", "tenure", "usage", "complaints", "risk"],
    categorical_columns=["left"],
    classification=[BinaryClassification(target="left", prediction_probas="risk", pos_label=1)],
)


def dataset(path):
    return Dataset.from_pandas(pd.read_csv(path)[COLUMNS], data_definition=DEFINITION)


drift = DataDriftPreset(columns=COLUMNS[1:], num_method="wasserstein", num_threshold=1e-4)
report = Report([drift, ClassificationPreset()], include_tests=True)
ran = report.run(dataset(sys.argv[1]), dataset("recorded/reference_served.csv"))
failed = [f"{test.name}: {test.description}" for test in ran.tests_results if test.status.name == "FAIL"]
print(json.dumps({"failed": failed}))
