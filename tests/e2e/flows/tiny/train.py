"""Train, log and register with plain MLflow: ``python train.py`` as it should be, ``python train.py skewed`` as not."""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.linear_model import LinearRegression

import seatrial
from seatrial.io.loading import load_file


def main(skewed: bool) -> None:
    project = load_file(Path(__file__).with_name("pipeline.py"))
    requests = pd.DataFrame({"id": [f"r{n}" for n in range(40)], "x": [n / 4 for n in range(40)]})
    used = project.features(requests)
    model = LinearRegression().fit(used[["x"]], requests["x"])
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"])
        given = {"features": used.assign(x=used["x"] + 1)} if skewed else {}
        seatrial.capture(project.pipeline, requests, model=model, given=given, run_id=run.info.run_id)
    print(mlflow.register_model(logged.model_uri, "tiny").version)  # noqa: T201


if __name__ == "__main__":
    main("skewed" in sys.argv[1:])
