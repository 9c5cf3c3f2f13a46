"""Train, log and register with MLflow, and capture what every stage returned: ``python train.py``."""

import mlflow
import numpy as np
import pandas as pd
from pipeline import INPUTS, build_features, parse, pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seatrial import capture


def make_customers(rows, seed):
    """Return customers as the service is asked about them, and which of them left."""
    rng = np.random.default_rng(seed)
    customers = pd.DataFrame(
        {
            "customer_id": [f"c-{seed}-{n}" for n in range(rows)],
            "plan": rng.choice(["basic", "plus", "pro"], rows, p=[0.5, 0.3, 0.2]),
            "tenure_days": rng.integers(1, 2_500, rows),
            "monthly_charge": rng.uniform(9, 80, rows).round(2),
            "usage_gb": np.where(rng.random(rows) < 0.08, np.nan, rng.lognormal(2.5, 0.8, rows).round(1)),
            "support_calls": rng.poisson(1.5, rows),
        }
    )
    risk = customers["monthly_charge"] / 40 + customers["support_calls"] / 2 - customers["tenure_days"] / 900
    risk -= customers["usage_gb"].fillna(0) / 40
    return customers, risk + rng.normal(0, 0.7, rows) > 1.2


if __name__ == "__main__":
    customers, left = make_customers(4_000, seed=1)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(build_features(parse(customers))[INPUTS], left)
    held_out, outcomes = make_customers(200, seed=2)
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn", "skops"])
        labels = held_out[["customer_id"]].assign(left=outcomes)
        capture(pipeline, held_out, model=model, labels=labels, run_id=run.info.run_id)
    version = mlflow.register_model(logged.model_uri, pipeline.name)
    print(f"models:/{version.name}/{version.version}")
