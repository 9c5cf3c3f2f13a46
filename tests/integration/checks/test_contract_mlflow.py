"""The contract check on MLflow's own scoring server: a truncated value is found, with its column."""

import os

import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Policy, Service, capture
from seatrial.checks.contract.check import check
from seatrial.engine import plan, run_case, verdict_of
from seatrial.pipeline import SERVICE
from seatrial.trial import Trial


def parse(frame):
    return frame.astype({"id": "string", "n": "int64"})


def predict(frame, model):
    return pd.DataFrame({"id": frame["id"], "sevenfold": model.predict(frame[["n"]]).to_numpy()})


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    """A model whose only input is a long, logged as MLflow serves it."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    class Seven(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return 7 * model_input["n"]

    path = tmp_path_factory.mktemp("long") / "model"
    example = pd.DataFrame({"n": [1]})
    signature = infer_signature(example, example["n"])
    mlflow.pyfunc.save_model(path, python_model=Seven(), signature=signature, pip_requirements=[])
    return str(path)


def load(path):
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(path)


@pytest.fixture(scope="module")
def verdict(model_path):
    """The verdict of the whole check on the real server."""
    command = ["mlflow", "models", "serve", "-m", "{model.path}", "--env-manager", "local", "--host", "127.0.0.1"]
    service = Service(
        [*command, "--port", "{port}"], ready="/ping", predict="mlflow+http://127.0.0.1:{port}", openapi=None,
        serves="prediction", ready_seconds=180,
    )  # fmt: skip
    pipeline = Pipeline("seven", key="id", raw=parse, prediction=predict, model=load, service=service)
    requests = pd.DataFrame({"id": [f"t{n}" for n in range(20)], "n": range(20)})
    model = load(model_path)
    reference = capture(pipeline, requests, model=model)
    with Trial(pipeline, reference, policy=Policy(), model=model, model_path=model_path) as trial:
        ((planned, case),) = plan([check], trial)
        return verdict_of(run_case(planned, trial, case), trial, [case])


def test_a_fraction_truncated_to_an_integer_is_found_with_its_column(verdict):
    """The answer to 1.5 for a long is that to 1, and the model in process refuses it: the finding has both."""
    assert verdict.outcome is Outcome.FAIL
    (finding,) = (f for f in verdict.errors if f.cause == "truncation")
    assert (finding.stage, finding.column) == (SERVICE, "n")
    assert "the answer is the same for the truncated value" in finding.message
    assert "the path in process refuses it" in finding.message


def test_text_read_as_an_integer_is_found_with_its_column(verdict):
    """The answer to text for a long is that to the number."""
    (finding,) = (f for f in verdict.findings if f.cause == "dtype-coercion" and f.column == "n")
    assert "the number sent as text" in finding.message
    assert "the answer is the same for the value of the declared type" in finding.message


def test_an_unknown_field_and_a_status_500_are_findings_too(verdict):
    """The server drops columns that the signature does not name, and fails on bodies that it cannot read."""
    assert {"unknown-field", "status-500"} <= {f.cause for f in verdict.findings}
    assert verdict.not_evaluated == ()
