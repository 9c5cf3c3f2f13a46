"""Fraud scoring of card payments: from the JSON that a shop sends to the answer it gets."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from payments_model import KEPT_LEGITIMATE, MODEL_INPUTS, load_model
from payments_store import TYPES, FeatureStore, NoStore, StoreUnavailable

from seatrial import Dependency, Pipeline, Service

STORE_URL = os.environ.get("PAYMENTS_STORE_URL", f"sqlite:///{Path(__file__).resolve().parents[1] / 'payments.db'}")

MINOR_UNITS = {"JPY": 0, "KWD": 3, "BHD": 3}
EUR_RATES = {"EUR": 1.0, "GBP": 1.17, "USD": 0.92, "JPY": 0.0061, "INR": 0.011, "NAD": 0.05, "KWD": 3.0, "BHD": 2.45}
DEVICES = ["android", "ios", "web", "other"]
RAW: dict[str, Any] = {
    "transaction_id": "string",
    "customer_id": "Int64",
    "cardholder": "string",
    "amount": "object",  # Decimal, in whole units of the currency
    "currency": "string",
    "time": "datetime64[us, UTC]",
    "country": "string",
    "postcode": "string",
    "device": pd.CategoricalDtype(DEVICES),
    "merchant_category": "string",
    "card_present": "bool",
}
EVIDENCE = ["amount_ratio", "abroad", "chargebacks", "known_customer", "degraded"]

REVIEW, DECLINE = 0.08, 0.3


def parse(requests: pd.DataFrame) -> pd.DataFrame:
    """Raw: one JSON payload a row to typed columns; times to UTC, amounts from minor units to whole ones."""
    records = [json.loads(payload) for payload in requests["payload"]]
    for r in records:
        r["amount"] = Decimal(r["amount"]).scaleb(-MINOR_UNITS.get(r["currency"], 2))
    frame = pd.DataFrame({name: [r.get(name) for r in records] for name in RAW}, dtype=object)
    frame["cardholder"] = frame["cardholder"].astype("string").str.normalize("NFC")
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601")
    frame["device"] = frame["device"].where(frame["device"].isin(DEVICES) | frame["device"].isna(), "other")
    return frame.astype(RAW)


def build_features(frame: pd.DataFrame, store: FeatureStore) -> pd.DataFrame:
    """Features: the payment beside what the store knows of the customer; zeros and nulls where it knows nothing.

    When the store does not answer, the rows that needed it are marked ``degraded`` and scored as unknown customers.
    Guests have no customer_id and need no lookup.
    """
    identified = frame["customer_id"].notna()
    customers, reachable = pd.DataFrame(columns=list(TYPES), dtype=object).astype(TYPES), True
    if identified.any():
        try:
            customers = store.customers(frame.loc[identified, "customer_id"].drop_duplicates())
        except StoreUnavailable:
            reachable = False
    known = frame.merge(customers, on="customer_id", how="left", validate="many_to_one")
    amount_eur = known["amount"].astype("float64") * known["currency"].map(EUR_RATES).astype("float64")
    return pd.DataFrame(
        {
            "transaction_id": known["transaction_id"],
            "amount_eur": amount_eur,
            "log_amount": np.log1p(amount_eur),
            "amount_ratio": amount_eur / known["average_amount"],
            "hour": known["time"].dt.hour.astype("int64"),
            "abroad": (known["country"] != known["home_country"]).fillna(False).astype("bool"),
            "country": known["country"],
            "region": known["postcode"].str[:2],
            "device": known["device"].astype("string").fillna("unknown"),
            "merchant_category": known["merchant_category"],
            "card_present": known["card_present"],
            "known_customer": known["opened_on"].notna(),
            "account_age_days": (known["time"].dt.tz_localize(None) - known["opened_on"]).dt.days.astype("float64"),
            "payments_30d": known["payments_30d"].fillna(0).astype("int64"),
            "chargebacks": known["chargebacks"].fillna(0).astype("int64"),
            "degraded": known["customer_id"].notna() & (not reachable),
        }
    )


def predict(frame: pd.DataFrame, model: Any) -> pd.DataFrame:
    """Prediction: the model's score, and what the decision needs beside it."""
    score = model.predict_proba(frame[MODEL_INPUTS])[:, 1] if len(frame) else np.empty(0)  # scikit-learn wants a row
    return frame[["transaction_id", *EVIDENCE]].assign(score=score)


def decide(frame: pd.DataFrame) -> pd.DataFrame:
    """Postprocess: score to probability, probability to band and decision, and the reasons for anything but approval.

    The model saw a share β of the legitimate payments, so its score s is too high; the probability among all of
    them is βs / (βs + 1 − s) (Dal Pozzolo et al., 2015, equation 4).
    """
    score = frame["score"]
    probability = KEPT_LEGITIMATE * score / (KEPT_LEGITIMATE * score + 1 - score)
    limits = [-np.inf, REVIEW, DECLINE, np.inf]
    decision = pd.cut(probability, limits, right=False, labels=["approve", "review", "decline"])
    signs = {
        "amount_above_usual": frame["amount_ratio"] > 3,
        "abroad": frame["abroad"],
        "chargebacks": frame["chargebacks"] > 0,
        "unknown_customer": ~frame["known_customer"],
    }
    flags = pd.DataFrame(signs).to_numpy(dtype=bool)
    names = [[name for name, on in zip(signs, row, strict=True) if on] for row in flags]
    reasons = [[] if d == "approve" else found or ["score"] for d, found in zip(decision, names, strict=True)]
    return pd.DataFrame(
        {
            "transaction_id": frame["transaction_id"],
            "probability": probability,
            "band": pd.cut(probability, limits, right=False, labels=["low", "elevated", "high"]),
            "decision": decision.astype("string"),
            "reasons": pd.Series(reasons, index=frame.index, dtype="object"),
            "degraded": frame["degraded"],
        }
    )


def respond(frame: pd.DataFrame) -> pd.DataFrame:
    """Response: one column per field of the JSON answer; the probability to four decimals."""
    return frame.assign(probability=frame["probability"].round(4), band=frame["band"].astype("string"))


pipeline = Pipeline(
    "payments",
    key="transaction_id",
    raw=parse,
    features=build_features,
    prediction=predict,
    postprocess=decide,
    response=respond,
    model=load_model,
    dependencies=[Dependency("store", url=STORE_URL, connect=FeatureStore, fallback=NoStore)],
    service=Service(
        command=["uvicorn", "service:app", "--host", "127.0.0.1", "--port", "{port}"],
        predict="/score",
        batch="/score/batch",
        env={"MODEL_PATH": "{model.path}", "PAYMENTS_STORE_URL": "{store.url}"},
        cwd=Path(__file__).parent,
    ),
)
