"""From the JSON of a request to the answer: what training, the tests and the service share."""

import os

import httpx
import numpy as np
import pandas as pd

COLUMNS = ["hour", "bill", "tenure", "usage", "complaints"]
EUR = {"DE": 1.0, "FR": 1.0, "NL": 1.0, "GB": 1.17}
FILL = 24.0  # months, where tenure is unknown
STORE_SECONDS = float(os.environ.get("STORE_SECONDS", "0.3"))
THRESHOLD = 0.5


class StoreUnavailable(Exception):
    """The store of complaints did not answer in time."""


class Store:
    """How often customers complained, over HTTP."""

    def __init__(self, url):
        limits = httpx.Limits(max_connections=6)
        self.client = httpx.Client(base_url=url, timeout=STORE_SECONDS, limits=limits, trust_env=False)

    def complaints(self, ids):
        try:
            answer = self.client.post("/complaints", json=[str(i) for i in ids])
            found = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise StoreUnavailable(str(error)) from error
        return pd.DataFrame({"customer_id": list(ids), "complaints": [float(found[str(i)]) for i in ids]})


class NoStore:
    """The fallback: nobody complained."""

    def complaints(self, ids):
        raise StoreUnavailable("there is no store")


def parse(requests):
    return pd.DataFrame(
        {
            "customer_id": requests["customer_id"].astype("string"),
            "asked_at": pd.to_datetime(requests["asked_at"], utc=True, format="ISO8601"),
            "country": requests["country"].astype("string"),
            "bill_minor": requests["bill_minor"].astype("int64"),
            "tenure_months": requests["tenure_months"].astype("float64"),
            "calls": requests["calls"].astype("int64"),
            "minutes": requests["minutes"].astype("float64"),
        }
    )


def build(frame, store):
    try:
        known = store.complaints(frame["customer_id"])
        complaints, degraded = known["complaints"].to_numpy(), False
    except StoreUnavailable:
        complaints, degraded = 0.0, True
    return pd.DataFrame(
        {
            "customer_id": frame["customer_id"],
            "hour": frame["asked_at"].dt.hour.astype("int64"),
            "bill": frame["bill_minor"] / 100 * frame["country"].map(EUR).astype("float64"),
            "tenure": frame["tenure_months"].fillna(FILL),
            "usage": frame["minutes"] / (frame["calls"] + 1),
            "complaints": complaints,
            "degraded": degraded,
        }
    )


def predict(frame, model):
    stays, leaves = model.predict_proba(frame[COLUMNS].to_numpy()).T if len(frame) else (np.empty(0), np.empty(0))
    return frame[["customer_id", "degraded"]].assign(stays=stays, leaves=leaves)


def decide(frame):
    score = frame["leaves"]
    label = pd.Series(np.where(score >= THRESHOLD, "leaves", "stays"), index=frame.index, dtype="string")
    return frame[["customer_id", "degraded"]].assign(score=score, label=label)


def respond(frame):
    return pd.DataFrame(
        {
            "customer_id": frame["customer_id"],
            "risk": frame["score"],
            "label": frame["label"],
            "degraded": frame["degraded"],
        }
    )
