"""Train, log and register with MLflow, and capture what every stage returned: ``python train.py``."""

import mlflow
import numpy as np
import pandas as pd
from pipeline import ARTICLES, SECTIONS, pipeline
from sklearn.decomposition import NMF

from seatrial import capture


def make_requests(rows, seed):
    """Return requests as the service gets them; the last reader has read the whole section."""
    rng = np.random.default_rng(seed)
    favourites = rng.choice(SECTIONS, rows)
    weights = [np.where([a.startswith(f) for a in ARTICLES], 6.0, 1.0) for f in favourites]
    histories = [rng.choice(ARTICLES, rng.integers(0, 9), replace=False, p=w / w.sum()).tolist() for w in weights]
    histories[-1] = [article for article in ARTICLES if article.startswith(favourites[-1])]
    ids = [f"r-{seed}-{n}" for n in range(rows)]
    return pd.DataFrame({"request_id": ids, "section": favourites, "history": histories})


if __name__ == "__main__":
    read = make_requests(2_000, seed=1)["history"]
    matrix = np.array([[article in history for article in ARTICLES] for history in read], dtype="float64")
    model = NMF(n_components=6, init="nndsvd", random_state=0, max_iter=500).fit(matrix)
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn", "skops"])
        capture(pipeline, make_requests(100, seed=2), model=model, run_id=run.info.run_id)
    version = mlflow.register_model(logged.model_uri, pipeline.name)
    print(f"models:/{version.name}/{version.version}")
