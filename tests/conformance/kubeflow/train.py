"""Register two versions with plain MLflow: one as it should be, one trained on other prices."""

from pathlib import Path

import mlflow
import pandas as pd

import seatrial
from seatrial.io.loading import load_file

if __name__ == "__main__":
    project = load_file(Path(__file__).with_name("pipeline.py"))
    requests = pd.DataFrame({"id": [f"r{n}" for n in range(8)], "items": [1 + n % 3 for n in range(8)]})
    dearer = project.lines(requests).assign(price=lambda frame: frame["price"] + 1)
    client = mlflow.MlflowClient()
    client.create_registered_model("baskets")
    for given in ({}, {"lines": dearer}):
        run = client.create_run("0")
        client.log_text(run.info.run_id, "2.0", "model/price.txt")
        client.log_text(run.info.run_id, "none-such-package==1.0\n", "model/requirements.txt")
        seatrial.capture(project.pipeline, requests, given=given, run_id=run.info.run_id)
        client.set_terminated(run.info.run_id)
        client.create_model_version("baskets", f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias("baskets", "candidate", "1")
