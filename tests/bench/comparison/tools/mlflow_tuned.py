"""``mlflow.models.evaluate`` of what the service answered: against the labels, and against the recorded scores."""

import json
import sys

import mlflow
import pandas as pd
from mlflow.models import MetricThreshold
from mlflow.models.evaluation.validation import ModelValidationFailedException

LABELLED = {"accuracy_score": MetricThreshold(threshold=0.83, greater_is_better=True)}
RECORDED = {"max_error": MetricThreshold(threshold=1e-6, greater_is_better=False)}

recorded = pd.read_csv("recorded/reference_served.csv").set_index("customer_id")
served = pd.read_csv(sys.argv[1]).set_index("customer_id").loc[recorded.index]
served = served.assign(recorded=recorded["risk"], decided=(served["risk"] >= 0.5).astype(int)).reset_index()
failed = []
for kind, predictions, targets, limits in (
    ("classifier", "decided", "left", LABELLED),
    ("regressor", "risk", "recorded", RECORDED),
):
    with mlflow.start_run():
        data = served[[predictions, targets]]
        evaluated = mlflow.models.evaluate(data=data, predictions=predictions, targets=targets, model_type=kind)
    try:
        mlflow.validate_evaluation_results(validation_thresholds=limits, candidate_result=evaluated)
    except ModelValidationFailedException as error:
        failed += [f"{predictions}: {line}" for line in str(error).splitlines()]
print(json.dumps({"failed": failed}))
