"""``mlflow.models.evaluate(..., evaluators="seatrial")``, called as its own documentation says.

Here predictions are compared with a reference; a version is validated in ``tests/e2e/cli/test_evaluator.py``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.models import MetricThreshold
from mlflow.models.evaluation.validation import ModelValidationFailedException

from seatrial import Pipeline, capture

pytestmark = pytest.mark.server
REQUESTS = pd.DataFrame({"id": [f"r{n}" for n in range(40)], "x": [n / 4 for n in range(40)]})
GATE = {"seatrial/pass": MetricThreshold(threshold=1, greater_is_better=True)}


class Halves(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Halves x."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> np.ndarray:
        return model_input["x"].to_numpy() / 2


@pytest.fixture(scope="module", autouse=True)
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two versions of a model, each with the reference of a path whose answer is half of x."""
    folder = tmp_path_factory.mktemp("evaluate")
    path = Pipeline(
        "halves", key="id", raw=lambda frame: frame, prediction=lambda frame: frame[["id"]].assign(y=frame["x"] / 2)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        for name in ("MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
            patch.delenv(name, raising=False)
        patch.setattr("mlflow.tracking.fluent._active_experiment_id", None)  # of another store in this process
        patch.chdir(folder)
        for _ in range(2):
            with mlflow.start_run() as run, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                logged = mlflow.pyfunc.log_model(name="model", python_model=Halves(), pip_requirements=["pandas"])
                capture(path, REQUESTS, run_id=run.info.run_id)
            mlflow.register_model(logged.model_uri, "halves")
        yield


def evaluated(data: pd.DataFrame, model: Any = "models:/halves/1", **config: Any) -> Any:
    predictions = "y" if model is None else None
    return mlflow.models.evaluate(
        model, data.assign(label=0.0), targets="label", model_type="regressor", predictions=predictions,
        evaluators="seatrial", evaluator_config={"version": "models:/halves/1", "stage": "prediction", **config},
    )  # fmt: skip


def refusal(data: pd.DataFrame = REQUESTS, model: Any = "models:/halves/1", **config: Any) -> str:
    with pytest.raises(MlflowException) as caught:
        evaluated(data, model, **config)
    return str(caught.value)


def test_a_model_that_answers_as_in_training_passes_the_gate() -> None:
    """Metrics and the table are results, and logged to the run of the evaluation."""
    result = evaluated(REQUESTS)
    assert result.metrics == {
        "seatrial/pass": 1.0, "seatrial/rows_compared": 40.0, "seatrial/rows_different": 0.0,
        "seatrial/rows_unknown": 0.0,
    }  # fmt: skip
    mlflow.validate_evaluation_results(GATE, result)
    artifact = result.artifacts["seatrial_parity_csv"]
    assert artifact.content["feature"].tolist() == ["y"]
    (run,) = mlflow.search_runs(filter_string="metrics.`seatrial/pass` = 1", output_format="list")
    assert run.data.metrics == result.metrics
    assert artifact.uri == f"{run.info.artifact_uri}/seatrial/parity.csv"


@pytest.mark.parametrize("offset", [1e-3, np.nan])
def test_predictions_that_differ_fail_the_gate(offset: float) -> None:
    """Without a model, from a plain data set; the difference is no error of the evaluation."""
    y = REQUESTS["x"] / 2
    y.iloc[:3] += offset
    result = evaluated(REQUESTS.assign(y=y), None)
    assert (result.metrics["seatrial/pass"], result.metrics["seatrial/rows_different"]) == (0.0, 3.0)
    with pytest.raises(ModelValidationFailedException, match="seatrial/pass"):
        mlflow.validate_evaluation_results(GATE, result)


def test_a_key_that_training_never_saw_is_no_pass() -> None:
    """A part of the requests is enough; a row that has nothing to be compared with is not."""
    assert evaluated(REQUESTS.head(7)).metrics["seatrial/rows_compared"] == 7.0
    result = evaluated(pd.concat([REQUESTS.head(7), pd.DataFrame({"id": ["new"], "x": [1.0]})]))
    assert (result.metrics["seatrial/pass"], result.metrics["seatrial/rows_unknown"]) == (0.0, 1.0)


def test_where_nothing_is_compared_there_is_no_result() -> None:
    """Each refusal says what to change."""
    assert "Nothing was compared: no id of the data" in refusal(REQUESTS.assign(id="other"))
    assert "lacks the key of the reference: id. Columns: x" in refusal(REQUESTS[["x"]])
    assert "no stage 'predicton'" in refusal(stage="predicton")
    assert "no version '9'" in refusal(version="models:/halves/9")
    assert "'verson'" in refusal(verson="models:/halves/1")
    assert "Name the one that is predicted" in refusal(column="z")
    assert "could not be evaluated by any" in str(refusal_without_version())


def refusal_without_version() -> MlflowException:
    with pytest.raises(MlflowException) as caught:
        mlflow.models.evaluate(
            "models:/halves/1", REQUESTS.assign(label=0.0), targets="label", model_type="regressor",
            evaluators="seatrial",
        )  # fmt: skip
    return caught.value


@pytest.mark.parametrize("model", ["models:/halves/2", lambda frame: frame["x"] / 2])
def test_another_model_than_the_version_is_refused(model: Any) -> None:
    """A verdict on one version is none on another, nor on a function that came from nowhere."""
    assert "is not models:/halves/1, or does not say where it comes from" in refusal(model=model)


def test_an_evaluation_that_does_not_ask_for_it_is_as_it_was() -> None:
    """MLflow uses every evaluator that can: this one cannot without its own configuration."""
    result = mlflow.models.evaluate(
        "models:/halves/1", REQUESTS.assign(label=0.0), targets="label", model_type="regressor",
        evaluator_config={"log_explainer": False, "log_model_explainability": False},
    )  # fmt: skip
    assert not [name for name in result.metrics if name.startswith("seatrial")]
