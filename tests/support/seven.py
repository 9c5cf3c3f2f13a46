"""A model of MLflow's whose only input is a long, seven times as much its answer, behind MLflow's own server."""

import os

import numpy as np
import pandas as pd

from seatrial import Pipeline, Service

COMMAND = ["mlflow", "models", "serve", "-m", "{model.path}", "--env-manager", "local", "--host", "127.0.0.1"]
REQUESTS = pd.DataFrame({"id": [f"t{n}" for n in range(20)], "n": range(20)})


def parse(frame):
    return frame.astype({"id": "string", "n": "int64"})


def predict(frame, model):
    return pd.DataFrame({"id": frame["id"], "sevenfold": np.asarray(model.predict(frame[["n"]]))})


def load(path):
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(path)


def save(path):
    """Save the model as MLflow serves it."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    class Seven(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return (7 * model_input["n"]).to_numpy()

    example = pd.DataFrame({"n": [1]})
    signature = infer_signature(example, example["n"].to_numpy())
    mlflow.pyfunc.save_model(path, python_model=Seven(), signature=signature, pip_requirements=[])
    return str(path)


def pipeline():
    service = Service(
        [*COMMAND, "--port", "{port}"], ready="/ping", predict="mlflow+http://127.0.0.1:{port}", openapi=None,
        serves="prediction", ready_seconds=180,
    )  # fmt: skip
    return Pipeline("seven", key="id", raw=parse, prediction=predict, model=load, service=service)
