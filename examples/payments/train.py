"""Train the fraud model, register it, and store with it what training saw: ``python examples/payments/train.py``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from payments_model import MODEL_INPUTS, fit, load_model, log_model
from payments_store import fill_store
from payments_traffic import DECIMALS, EUR, make_customers, make_history, make_labels, make_payments, make_requests

from seatrial import capture
from seatrial.io.loading import load_file
from seatrial.project import Project

TRAINING, HELD_OUT = 1, 2  # the seeds of the two sets of payments
DEVICES = ["android", "ios", "web", "other"]


def training_features(payments: pd.DataFrame, release: int = 1) -> pd.DataFrame:
    """Return the features as the warehouse job makes them, in bulk and from its own tables.

    Release 2 takes the hour on the customer's clock, where most card fraud happens at night. The service was not
    changed: it still takes the hour in UTC.
    """
    history = make_history().groupby("customer_id")["amount_eur"]
    people = make_customers().set_index("customer_id")
    people = people.assign(average=history.mean(), count=history.size()).dropna(subset="average")
    customer = payments[["customer_id"]].join(people, on="customer_id")  # Series.map would send the ids through float64
    moment = pd.to_datetime(payments["time"], utc=True, format="ISO8601").dt.tz_localize(None)
    units = payments["currency"].map({c: 10**digits for c, digits in DECIMALS.items()}).fillna(100)
    euros = payments["amount"] / units * payments["currency"].map(EUR)
    device = payments["device"].where(payments["device"].isin(DEVICES) | payments["device"].isna(), "other")
    return pd.DataFrame(
        {
            "transaction_id": payments["transaction_id"].astype("string"),
            "amount_eur": euros,
            "log_amount": np.log1p(euros),
            "amount_ratio": euros / customer["average"].astype("float64"),
            "hour": moment.dt.hour.astype("int64") if release == 1 else payments["time"].str[11:13].astype("int64"),
            "abroad": (payments["country"].astype("string") != customer["home_country"]).fillna(False).astype("bool"),
            "country": payments["country"].astype("string"),
            "region": payments["postcode"].astype("string").str[:2],
            "device": device.fillna("unknown").astype("string"),
            "merchant_category": payments["merchant_category"].astype("string"),
            "card_present": payments["card_present"],
            "known_customer": customer["average"].notna(),
            "account_age_days": (moment - customer["opened_on"]).dt.days.astype("float64"),
            "payments_30d": customer["count"].fillna(0).astype("int64"),
            "chargebacks": customer["chargebacks"].fillna(0).astype("int64"),
            "degraded": False,
        }
    )


def train(
    release: int = 1, *, tracking_uri: str | None = None, rows: int = 12_000, reference_rows: int = 2_000, seed: int = 0
) -> Any:
    """Fill the store, train, log the model and its reference in one run, and register the next version.

    Args:
        release: 1, or 2: the release whose training features changed and whose service did not.
        tracking_uri: the MLflow store; without one, that of the environment or the project.
        rows: payments to train on.
        reference_rows: held-out payments that become the reference.
        seed: of the model and the sampling.

    Returns:
        MLflow's ModelVersion. The reference is stored before it is registered, so no version is without one.
    """
    if tracking_uri is None:
        Project.find(Path(__file__).parent).activate()
    import mlflow

    if tracking_uri is not None:
        mlflow.set_tracking_uri(tracking_uri)
    pipeline = load_file(Path(__file__).with_name("pipeline.py")).pipeline
    fill_store(pipeline.dependencies["store"].url, make_customers(), make_history())
    payments = make_payments(rows, TRAINING)
    features = training_features(payments, release)
    model = fit(features, payments["is_fraud"], seed)

    mlflow.set_experiment(pipeline.name)
    with mlflow.start_run(run_name=f"release {release}") as run:
        mlflow.log_params({"release": release, "rows": rows, "seed": seed})
        model_uri = log_model(model, features[MODEL_INPUTS])
        logged = mlflow.artifacts.download_artifacts(model_uri)
        capture(
            pipeline,
            make_requests(reference_rows, HELD_OUT),
            model=load_model(logged),  # as it will be loaded, not as it lies in memory here
            given={"features": training_features(make_payments(reference_rows, HELD_OUT), release)},
            labels=make_labels(reference_rows, HELD_OUT),
            seed=HELD_OUT,
            run_id=run.info.run_id,
        )
    return mlflow.register_model(model_uri, pipeline.name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", type=int, choices=[1, 2], default=1)
    parser.add_argument("--tracking-uri")
    arguments = parser.parse_args()
    version = train(arguments.release, tracking_uri=arguments.tracking_uri)
    print(f"models:/{version.name}/{version.version}")  # noqa: T201
