"""From a customer's record to the probability that the customer leaves. Training and serving share these functions."""

import pandas as pd
import skops.io

from seatrial import Pipeline, Service

PLANS = {"basic": 0, "plus": 1, "pro": 2}
MEDIAN_USAGE_GB = 12.0  # of the customers that the model was trained on
INPUTS = ["plan", "tenure_months", "monthly_charge", "usage_gb", "calls_per_month"]


def parse(requests):
    return requests.astype({"customer_id": "string", "plan": "string", "usage_gb": "float64"})


def build_features(frame):
    months = (frame["tenure_days"] / 30.44).clip(lower=1)
    return pd.DataFrame(
        {
            "customer_id": frame["customer_id"],
            "plan": frame["plan"].map(PLANS).astype("int64"),
            "tenure_months": months,
            "monthly_charge": frame["monthly_charge"],
            "usage_gb": frame["usage_gb"].fillna(MEDIAN_USAGE_GB),
            "calls_per_month": frame["support_calls"] / months,
        }
    )


def predict(frame, model):
    return frame[["customer_id"]].assign(probability=model.predict_proba(frame[INPUTS])[:, 1])


def respond(frame):
    return frame.assign(offer=frame["probability"] > 0.4)


def load_model(path):
    return skops.io.load(f"{path}/model.skops")


pipeline = Pipeline(
    "churn",
    key="customer_id",
    raw=parse,
    features=build_features,
    prediction=predict,
    response=respond,
    model=load_model,
    service=Service(["uvicorn", "service:app", "--port", "{port}"], env={"MODEL": "{model.path}"}),
)
