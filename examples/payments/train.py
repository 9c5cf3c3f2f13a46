"""Train the fraud model, register it, and keep with it what training saw: ``python examples/payments/train.py``."""

from __future__ import annotations

import argparse
import os
from typing import Any

import numpy as np
import pandas as pd
from payments_store import fill_store
from payments_traffic import DECIMALS, EUR, make_customers, make_history, make_labels, make_payments, make_requests
from pipeline import DEVICES, KEPT_LEGITIMATE, MODEL_INPUTS, STATE, load_model, pipeline

from seatrial import capture

TRAINING, HELD_OUT = 1, 2  # the seeds of the two sets of payments
TRUSTED = [  # what skops asks about when it loads the model: all of them scikit-learn's own
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]


def training_features(payments: pd.DataFrame, release: int = 1) -> pd.DataFrame:
    """Return the features as the warehouse job makes them, in bulk and from its own tables.

    Release 2 takes the hour on the customer's clock, where most card fraud happens at night. The service was not
    told: it still takes the hour in UTC.
    """
    history = make_history().groupby("customer_id")["amount_eur"]
    people = make_customers().set_index("customer_id")
    people = people.assign(average=history.mean(), count=history.size()).dropna(subset="average")
    customer = payments[["customer_id"]].join(people, on="customer_id")  # Series.map would send the ids through float64
    moment = pd.to_datetime(payments["time"], utc=True, format="ISO8601").dt.tz_localize(None)
    units = payments["currency"].map({c: 10**digits for c, digits in DECIMALS.items()}).fillna(100)
    euros = payments["amount"] / units * payments["currency"].map(EUR)
    home = customer["home_country"].astype("string")
    device = payments["device"].where(payments["device"].isin(DEVICES) | payments["device"].isna(), "other")
    return pd.DataFrame(
        {
            "transaction_id": payments["transaction_id"].astype("string"),
            "amount_eur": euros,
            "log_amount": np.log1p(euros),
            "amount_ratio": euros / customer["average"].astype("float64"),
            "hour": moment.dt.hour.astype("int64") if release == 1 else payments["time"].str[11:13].astype("int64"),
            "abroad": (payments["country"].astype("string") != home).astype("boolean"),
            "country": payments["country"].astype("string"),
            "region": payments["postcode"].astype("string").str[:2],
            "device": pd.Categorical(device, categories=DEVICES),
            "merchant_category": payments["merchant_category"].astype("string"),
            "card_present": payments["card_present"],
            "account_age_days": (moment - customer["opened_on"]).dt.days.astype("Int64"),
            "payments_30d": customer["count"].astype("Int64"),
            "chargebacks": customer["chargebacks"].astype("Int64"),
            "degraded": False,
        }
    )


def fit(features: pd.DataFrame, is_fraud: pd.Series, seed: int = 0) -> Any:
    """Return the fitted model: all fraud, a share of the legitimate payments, encoded, boosted, calibrated."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    kept = is_fraud | (np.random.default_rng(seed).random(len(features)) < KEPT_LEGITIMATE)
    encoder = make_column_transformer(
        (
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            ["region", "device", "merchant_category"],
        ),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    boosting = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.08, max_leaf_nodes=12, random_state=seed)
    model = make_pipeline(encoder, CalibratedClassifierCV(boosting, method="sigmoid", cv=3))
    return model.fit(features.loc[kept, MODEL_INPUTS], is_fraud[kept])


def train(
    release: int = 1, *, tracking_uri: str | None = None, rows: int = 12_000, reference_rows: int = 2_000, seed: int = 0
) -> Any:
    """Fill the store, train, log the model and its reference in one run, and register the next version.

    Args:
        release: 1, or 2: the release whose training features changed and whose service did not.
        tracking_uri: where MLflow keeps it; ``MLFLOW_TRACKING_URI``, or the project's ``.seatrial/``.
        rows: payments to train on.
        reference_rows: held-out payments kept as the reference.
        seed: of the model and the sampling.

    Returns:
        MLflow's ModelVersion. The reference is stored before it is registered, so no version is without one.
    """
    import mlflow
    import mlflow.sklearn

    fill_store(pipeline.dependencies["store"].url, make_customers(), make_history())
    payments = make_payments(rows, TRAINING)
    features = training_features(payments, release)
    model = fit(features, payments["is_fraud"], seed)

    mlflow.set_tracking_uri(tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{STATE / 'mlflow.db'}")
    _experiment()
    with mlflow.start_run(run_name=f"release {release}") as run:
        mlflow.log_params({"release": release, "rows": rows, "seed": seed})
        inputs = features[MODEL_INPUTS]
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=mlflow.models.infer_signature(inputs, model.predict_proba(inputs)),
            input_example=inputs.head(5),
            pyfunc_predict_fn="predict_proba",
            skops_trusted_types=TRUSTED,
        )
        capture(
            pipeline,
            make_requests(reference_rows, HELD_OUT),
            model=load_model(logged.model_uri),  # as it will be loaded, not as it lies in memory here
            given={"features": training_features(make_payments(reference_rows, HELD_OUT), release)},
            labels=make_labels(reference_rows, HELD_OUT),
            seed=HELD_OUT,
            run_id=run.info.run_id,
        )
    return mlflow.register_model(logged.model_uri, pipeline.name)


def _experiment() -> None:
    """Choose the experiment; with a local store, keep its artifacts beside it and not in the current folder."""
    import mlflow

    if mlflow.get_experiment_by_name(pipeline.name) is None:
        local = mlflow.get_tracking_uri().startswith("sqlite")
        mlflow.create_experiment(pipeline.name, artifact_location=(STATE / "artifacts").as_uri() if local else None)
    mlflow.set_experiment(pipeline.name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", type=int, choices=[1, 2], default=1)
    parser.add_argument("--tracking-uri")
    arguments = parser.parse_args()
    version = train(arguments.release, tracking_uri=arguments.tracking_uri)
    print(f"models:/{version.name}/{version.version}")  # noqa: T201
