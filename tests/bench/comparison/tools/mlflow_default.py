"""``mlflow.models.evaluate`` of the registered model on labelled features, held to limits."""

import json

import mlflow
import pandas as pd
from mlflow.models import MetricThreshold
from mlflow.models.evaluation.validation import ModelValidationFailedException

COLUMNS = ["hour", "bill", "tenure", "usage", "complaints"]
LIMITS = {
    "roc_auc": MetricThreshold(threshold=0.88, greater_is_better=True),
    "accuracy_score": MetricThreshold(threshold=0.83, greater_is_better=True),
}

frame = pd.read_csv("recorded/reference_served.csv")
with mlflow.start_run():
    evaluated = mlflow.models.evaluate(
        "models:/churn/1", frame[COLUMNS].to_numpy(), targets=frame["left"].to_numpy(), model_type="classifier",
        evaluator_config={"log_model_explainability": False, "log_explainer": False, "pos_label": 1},
    )  # fmt: skip
failed = []
try:
    mlflow.validate_evaluation_results(validation_thresholds=LIMITS, candidate_result=evaluated)
except ModelValidationFailedException as error:
    failed = str(error).splitlines()
print(json.dumps({"failed": failed, "metrics": evaluated.metrics}, default=float))
