"""Log and register a model with plain MLflow, and capture the reference."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pandas as pd
from sklearn.linear_model import LinearRegression

import seatrial
from seatrial.io.loading import load_file


def main() -> None:
    project = load_file(Path(__file__).with_name("pipeline.py"))
    notes = ["gift wrapping" if n == 7 else f"order {n}" for n in range(40)]
    requests = pd.DataFrame({"id": [f"r{n}" for n in range(40)], "amount": [n / 4 for n in range(40)], "note": notes})
    model = LinearRegression().fit(requests[["amount"]], requests["amount"])
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"])
        seatrial.capture(project.pipeline, requests, run_id=run.info.run_id)
    mlflow.register_model(logged.model_uri, "shop")
    with mlflow.start_run():  # one without a reference
        bare = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"])
        mlflow.register_model(bare.model_uri, "shop")
    requests.to_parquet(Path(__file__).with_name("requests.parquet"))


if __name__ == "__main__":
    main()
