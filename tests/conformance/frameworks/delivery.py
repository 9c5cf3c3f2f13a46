"""Minutes of a delivery: the model, its requests, and its pipeline behind each framework of ``services``.

The service of each framework stands in a file as its tutorial would write it. What differs is here: the command, where
the record stands in a request, and the paths.
"""

import json
import logging
import warnings
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from seatrial import HttpRequest, Pipeline, Service

FIELDS = ["distance_km", "items", "courier"]
HERE = Path(__file__).parent
READY_SECONDS = 180.0  # a busy machine imports for a while
PATIENT = ("--timeout-worker-healthcheck", "60")


def orders(count, seed):
    """Return orders, a row each, with how many minutes they took."""
    rng = np.random.default_rng(seed)
    found = pd.DataFrame(
        {
            "order_id": [f"o{seed}-{n}" for n in range(count)],
            "distance_km": rng.gamma(2.0, 3.0, count).round(2),
            "items": rng.integers(1, 12, count),
            "courier": rng.choice(["bike", "car", "foot"], count),
        }
    )
    pace = found["courier"].map({"bike": 4.0, "car": 2.5, "foot": 9.0})
    return found.assign(minutes=8 + pace * found["distance_km"] + 0.7 * found["items"] + rng.normal(0, 2, count))


def requests(count, seed=7):
    """Return requests as callers send them."""
    asked = orders(count, seed).drop(columns="minutes")
    return pd.DataFrame({"payload": [json.dumps(record) for record in asked.to_dict("records")]})


def train(folder):
    """Train the model and log it twice, as MLflow does and as joblib does; return the folder."""
    import mlflow.sklearn
    from mlflow.models import infer_signature
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    past = orders(2_000, 1)
    columns = make_column_transformer(
        (StandardScaler(), ["distance_km", "items"]), (OneHotEncoder(handle_unknown="ignore"), ["courier"])
    )
    model = make_pipeline(columns, Ridge()).fit(past[FIELDS], past["minutes"])
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # its remarks on pickles and on integers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signature = infer_signature(past[FIELDS], model.predict(past[FIELDS]))
        mlflow.sklearn.save_model(
            model, folder, signature=signature, pip_requirements=[], serialization_format="cloudpickle"
        )
    joblib.dump(model, Path(folder) / "model.joblib")
    return Path(folder)


def load(path):
    return joblib.load(Path(path) / "model.joblib")


def raw(frame):
    records = pd.DataFrame([json.loads(text) for text in frame["payload"]])
    types = {"order_id": "string", "distance_km": "float64", "items": "int64", "courier": "string"}
    return records[["order_id", *FIELDS]].astype(types)


def prediction(frame, model):
    return frame[["order_id"]].assign(minutes=model.predict(frame[FIELDS]))


def write_litserve(rows):
    """LitServe's own examples put what they read under ``input``."""
    record = json.loads(rows["payload"].iloc[0])
    return HttpRequest.json({"input": [record[name] for name in FIELDS]})


SERVICES = {
    "fastapi": Service(
        ["uvicorn", "fastapi_app:app", "--workers", "2", *PATIENT, "--port", "{port}"], ready="/openapi.json",
    ),
    "flask": Service(
        ["gunicorn", "flask_app:app", "--workers", "2", "--bind", "127.0.0.1:{port}"], ready="/", openapi=None,
    ),
    "flask_checked": Service(
        ["gunicorn", "flask_checked:app", "--workers", "2", "--bind", "127.0.0.1:{port}"], ready="/", openapi=None,
    ),
    "aiohttp": Service(["python", "aiohttp_app.py", "{port}"], ready="/", openapi=None),
    "starlette": Service(
        ["uvicorn", "starlette_app:app", "--workers", "2", *PATIENT, "--port", "{port}"], ready="/", openapi=None,
    ),
    "django_rest": Service(
        ["gunicorn", "django_rest.wsgi", "--bind", "127.0.0.1:{port}"], ready="/", predict="/predict/", openapi=None,
    ),
    "bentoml": Service(
        ["bentoml", "serve", "bentoml_service:Delivery", "--host", "127.0.0.1", "--port", "{port}"],
        ready="/readyz", openapi="/docs.json", envelope="orders/",
        env={"BENTOML_DO_NOT_TRACK": "True"},
    ),
    "litserve": Service(
        ["python", "litserve_server.py", "{port}"], request=write_litserve, envelope="/output",
        openapi=None,
    ),
    "sanic": Service(
        ["sanic", "sanic_app:app", "--host", "127.0.0.1", "--port", "{port}"], ready="/", openapi=None,
    ),
    "falcon": Service(["gunicorn", "falcon_app:app", "--bind", "127.0.0.1:{port}"], ready="/", openapi=None),
    "ray_serve": Service(
        ["python", "ray_serve.py", "{port}"], ready="/-/healthz", predict="/", openapi=None, ready_seconds=120,
        env={"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"},
    ),
    "mlflow": Service(
        ["mlflow", "models", "serve", "-m", "{model.path}", "--env-manager", "local", "--port", "{port}"],
        ready="/ping", predict="mlflow+http://127.0.0.1:{port}", openapi=None, ready_seconds=120,
        env={"MLFLOW_DISABLE_TELEMETRY": "true"},
    ),
}  # fmt: skip

UNCHECKED = {"status-500": "The tutorial does not check its requests, and callers are our own."}
ALLOW = {
    "fastapi": {
        "not-a-number": "FastAPI repeats NaN in its own error, which JSON cannot hold.",
        "text with a lone surrogate": "FastAPI cannot write it as UTF-8.",
    },
    "flask": UNCHECKED,
    "flask_checked": {},
    "aiohttp": UNCHECKED,
    "starlette": UNCHECKED,
    "django_rest": {"lists nested 20,000 deep": "Python's JSON parser is recursive."},
    "bentoml": {
        **UNCHECKED,
        "error-shape": "BentoML documents the detail of its errors otherwise than it writes it.",
    },
    "litserve": {
        "an empty body": "LitServe answers 500 to what is no JSON.",
        "bytes that are no request": "LitServe answers 500 to what is no JSON.",
        "half a request": "LitServe answers 500 to what is no JSON.",
    },
    "sanic": UNCHECKED,
    "falcon": UNCHECKED,
    "ray_serve": UNCHECKED,
    "mlflow": {
        "a fraction in place of an integer": "MLflow converts records to the types of the signature.",
        "lists nested 20,000 deep": "MLflow answers 500 to what its JSON parser raises.",
        "an integer of 5,000 digits": "MLflow answers 500 to what its JSON parser raises.",
    },
}
"""What the author of a service cannot mend, or will not: ``[contract.allow]`` of service.toml."""


def served(name, bug=""):
    """Return the pipeline behind one framework.

    Args:
        name: of the framework.
        bug: to plant in the service: see ``planted``; none by default.
    """
    declared = SERVICES[name]
    env = {"MODEL": "{model.path}/model.joblib", "DO_NOT_TRACK": "true", **declared.env}
    if bug:
        env |= {"PYTHONPATH": str(HERE / "planted"), "PLANTED": bug}
    service = replace(declared, env=env, cwd=HERE / "services", ready_seconds=READY_SECONDS)
    stages = {"raw": raw, "prediction": prediction}
    return Pipeline("delivery", key="order_id", model=load, service=service, **stages)
