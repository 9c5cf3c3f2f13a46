"""Load through a target: MLflow's own scoring server, without a path that is said for it."""

import os

import numpy as np
import pandas as pd
import pytest

from seatrial import Pipeline, Policy, Service, capture
from seatrial.checks.load.check import check
from seatrial.engine import plan, run_case
from seatrial.events import Finding, Measurement, NotEvaluated
from seatrial.policy.service import service_settings
from seatrial.trial import Trial


def parse(frame):
    return frame.astype({"id": "string", "n": "int64"})


def predict(frame, model):
    return pd.DataFrame({"id": frame["id"], "sevenfold": np.asarray(model.predict(frame[["n"]]))})


def load(path):
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(path)


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    class Seven(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return (7 * model_input["n"]).to_numpy()

    path = tmp_path_factory.mktemp("long") / "model"
    example = pd.DataFrame({"n": [1]})
    mlflow.pyfunc.save_model(
        path, python_model=Seven(), signature=infer_signature(example, example["n"].to_numpy()), pip_requirements=[]
    )
    return str(path)


def test_the_answers_of_a_model_server_are_compared_under_load(model_path):
    """Every request is answered and every sampled answer is that of the reference: nothing was refused."""
    command = ["mlflow", "models", "serve", "-m", "{model.path}", "--env-manager", "local", "--host", "127.0.0.1"]
    service = Service(
        [*command, "--port", "{port}"], ready="/ping", predict="mlflow+http://127.0.0.1:{port}", openapi=None,
        serves="prediction", ready_seconds=180,
    )  # fmt: skip
    pipeline = Pipeline("seven", key="id", raw=parse, prediction=predict, model=load, service=service)
    model = load(model_path)
    reference = capture(pipeline, pd.DataFrame({"id": [f"t{n}" for n in range(20)], "n": range(20)}), model=model)
    settings = {
        "slo": {"limit_ms": 5_000, "rate": 20, "percentile": 0.5},
        "load": {"runs": 1, "requests": 40, "samples": 40, "find_max_rate": False},
    }
    policy = Policy(service=service_settings(settings))
    with Trial(pipeline, reference, policy=policy, model=model, model_path=model_path) as trial:
        ((planned, case),) = plan([check], trial)
        events = run_case(planned, trial, case)
    measured = {e.name: e.value for e in events if isinstance(e, Measurement)}
    assert (measured["answers compared"], measured["error share"]) == (40, 0)
    assert not [e for e in events if isinstance(e, Finding)]
    assert not [e for e in events if isinstance(e, NotEvaluated) and "path" in e.reason]
