"""Train, and record what training saw: the features, the scores, the answers, and seatrial's reference."""

import os
import shutil
from pathlib import Path

import features
import joblib
import mlflow
import numpy as np
import store
import traffic
from pipeline import pipeline
from sklearn.ensemble import GradientBoostingClassifier

from seatrial import capture

HERE = Path(__file__).parent
ROWS, TRAINED_ON, RECORDED, HELD_OUT = 300, 1, 2, 3
NOISE = float(os.environ.get("CHURN_LABEL_NOISE", "0"))


class Warehouse:
    """The complaints as training has them."""

    def complaints(self, ids):
        return ids.to_frame("customer_id").assign(complaints=[float(store.complaints(each)) for each in ids])


def fit(seed, rows):
    asked = traffic.requests(rows, seed)
    labels = traffic.outcomes(asked, seed)
    labels = labels.where(np.random.default_rng(seed).random(rows) >= NOISE, 1 - labels)
    built = features.build(features.parse(asked), Warehouse())
    model = GradientBoostingClassifier(n_estimators=60, random_state=0)
    return model.fit(built[features.COLUMNS].to_numpy(), labels)


def recorded(name, asked, model, labels):
    """Write what the path returns: raw requests, features with score and label, answers."""
    built = features.build(features.parse(asked), Warehouse())
    decided = features.decide(features.predict(built, model))
    folder = HERE / "recorded"
    folder.mkdir(exist_ok=True)
    asked.to_json(folder / f"{name}_requests.jsonl", orient="records", lines=True, double_precision=15)
    answers = features.respond(decided)
    answers.to_json(folder / f"{name}_answers.jsonl", orient="records", lines=True, double_precision=15)
    built.assign(risk=decided["score"], label=decided["label"], left=labels).to_csv(
        folder / f"{name}_served.csv", index=False
    )


def main():
    (HERE / "older").mkdir(exist_ok=True)
    joblib.dump(fit(7, 700), HERE / "older" / "model.pkl")  # last month's, on fewer customers
    model = fit(TRAINED_ON, 4000)
    asked = traffic.requests(ROWS, RECORDED)
    labels = traffic.outcomes(asked, RECORDED)
    recorded("reference", asked, model, labels)
    held_out = traffic.requests(2000, HELD_OUT)
    recorded("held_out", held_out, model, traffic.outcomes(held_out, HELD_OUT))
    mlflow.set_experiment("churn")
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(model, name="model", serialization_format="pickle")
        shutil.copy(Path(mlflow.artifacts.download_artifacts(logged.model_uri)) / "model.pkl", HERE / "model.pkl")
        labelled = asked[["customer_id"]].assign(left=labels)
        capture(pipeline, asked, model=model, labels=labelled, run_id=run.info.run_id, seed=RECORDED)
    mlflow.register_model(logged.model_uri, "churn")


if __name__ == "__main__":
    main()
