"""A version is validated by ``mlflow.models.evaluate``, as it would be by the command."""

from __future__ import annotations

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.models import MetricThreshold
from mlflow.models.evaluation.validation import ModelValidationFailedException

from seatrial.project import Project

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_api")]
DATA = pd.DataFrame({"label": [0.0, 1.0], "y": [0.0, 1.0]})


def evaluated(payments: Project, version: str) -> mlflow.models.EvaluationResult:
    config = {"version": version, "project": str(payments.root), "options": ["--only", "expectations"]}
    return mlflow.models.evaluate(
        data=DATA, targets="label", predictions="y", model_type="regressor", evaluators="seatrial",
        evaluator_config=config,
    )  # fmt: skip


def test_a_version_with_skew_fails_the_gate(payments: Project) -> None:
    """Its verdict is metrics of the run, and its report an artifact."""
    result = evaluated(payments, "models:/payments/2")
    assert result.metrics["seatrial/pass"] == 0.0
    assert result.metrics["seatrial/findings"] >= 1.0
    assert result.artifacts["seatrial_verdict_json"].content["first_failing_stage"] == "features"
    assert "hour" in result.artifacts["seatrial_report_html"].content
    with pytest.raises(ModelValidationFailedException, match="seatrial/pass"):
        mlflow.validate_evaluation_results({"seatrial/pass": MetricThreshold(1, greater_is_better=True)}, result)


def test_what_was_not_validated_has_no_result(payments: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The command's own message, as MLflow's error."""
    with pytest.raises(MlflowException, match=r"was not validated.*no seatrial project"):
        mlflow.models.evaluate(
            data=DATA, targets="label", predictions="y", model_type="regressor", evaluators="seatrial",
            evaluator_config={"version": "models:/payments/1", "project": str(tmp_path_factory.mktemp("empty"))},
        )  # fmt: skip
