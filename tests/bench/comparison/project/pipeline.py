"""What seatrial needs to know of the churn service."""

import os
from pathlib import Path

import features
import joblib

from seatrial import Dependency, Pipeline, Service

STORE_URL = os.environ["STORE_URL"]

pipeline = Pipeline(
    "churn",
    key="customer_id",
    raw=features.parse,
    features=features.build,
    prediction=features.predict,
    postprocess=features.decide,
    response=features.respond,
    model=lambda path: joblib.load(Path(path) / "model.pkl"),
    dependencies=[Dependency("store", url=STORE_URL, connect=features.Store, fallback=features.NoStore)],
    service=Service(
        command=["uvicorn", "service:app", "--host", "127.0.0.1", "--port", "{port}"],
        env={"MODEL_PATH": "{model.path}", "STORE_URL": "{store.url}"},
    ),
)
