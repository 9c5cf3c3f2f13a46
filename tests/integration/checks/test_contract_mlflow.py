"""The contract check against MLflow's own scoring server: what it cuts is found, with the column's name."""

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
    """A model whose only input is a long, logged the way MLflow serves it."""
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
        ((asked, case),) = plan([check], trial)
        return verdict_of(run_case(asked, trial, case), trial, [case])


def test_a_fraction_cut_to_an_integer_is_found_with_its_column(verdict):
    """1.5 for a long is answered as 1 is, and the model in process refuses it: the finding says both."""
    assert verdict.outcome is Outcome.FAIL
    (finding,) = (f for f in verdict.errors if f.cause == "truncation")
    assert (finding.stage, finding.column) == (SERVICE, "n")
    assert "it is truncated" in finding.message
    assert "the path in process refuses it" in finding.message


def test_text_read_as_an_integer_is_found_with_its_column(verdict):
    """Text for a long is answered as the number is."""
    (finding,) = (f for f in verdict.errors if f.cause == "dtype-coercion")
    assert finding.column == "n"
    assert "the number as text" in finding.message
    assert "answered as the right value is" in finding.message


def test_a_field_nobody_knows_and_a_500_are_told_too(verdict):
    """The server drops columns that the signature does not name, and breaks on what it cannot nest."""
    assert {"unknown-field", "status-500"} <= {f.cause for f in verdict.errors}
    assert verdict.not_evaluated == ()
