"""Train, log and register with MLflow, and capture what every stage returned: ``python train.py``."""

import mlflow
import numpy as np
import pandas as pd
from pipeline import clean, pipeline
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from seatrial import capture

WORDS = {
    "billing": "invoice charge refund card payment receipt price euro",
    "delivery": "parcel late courier address lost tracking shipment door",
    "account": "password login email locked reset profile sign code",
}
COMMON = ["please", "help", "my", "the", "is", "not", "since", "yesterday", "thanks", "again"]


def make_tickets(rows, seed):
    """Return tickets as the service gets them, and the queue that answered each."""
    rng = np.random.default_rng(seed)
    queues = rng.choice(list(WORDS), rows)
    words = [rng.choice([*WORDS[queue].split(), *COMMON], rng.integers(4, 20)) for queue in queues]
    tickets = pd.DataFrame(
        {
            "ticket_id": [f"t-{seed}-{n}" for n in range(rows)],
            "subject": [" ".join(w[:2]).title() if n % 9 else None for n, w in enumerate(words)],
            "body": [" ".join(w[2:]).upper() if n % 7 == 0 else " ".join(w[2:]) for n, w in enumerate(words)],
        }
    )
    return tickets, queues


if __name__ == "__main__":
    tickets, queues = make_tickets(1_500, seed=1)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(clean(tickets)["text"], queues)
    held_out, _ = make_tickets(150, seed=2)
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn", "skops"])
        capture(pipeline, held_out, model=model, run_id=run.info.run_id)
    version = mlflow.register_model(logged.model_uri, pipeline.name)
    print(f"models:/{version.name}/{version.version}")
