"""A service that asks two dependencies over HTTP: ``SCALES=… RATES=… FAULT=… uvicorn two_service:app``."""

import os

import pandas as pd
from fastapi import FastAPI
from weather_service import FAULT, LostError, Scales, weigh

app = FastAPI()


def price(frame, rates):
    """Each weight costs what the rate of its kind says, 1 where the rates are lost; the answer says so."""
    told = []
    for lost in frame["degraded"]:
        try:
            told.append((rates.of("b"), bool(lost)))
        except LostError:
            told.append((1.0, True))
    total = frame["x"] * frame["weight"] * [rate for rate, _ in told]
    return frame[["id"]].assign(degraded=[lost for _, lost in told], total=total)


scales, rates = (Scales(os.environ.get(name, "http://127.0.0.1:1")) for name in ("SCALES", "RATES"))


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.post("/predict")
def predict(record: dict):
    weighed = weigh(pd.DataFrame([record]).astype({"kind": "object"}), scales)
    told = price(weighed, rates).to_dict(orient="records")[0]
    if FAULT == "both" and weighed["degraded"][0] and told["total"] == record["x"]:
        raise RuntimeError("Neither answers.")
    return told | ({"reason": "Not all answered."} if told["degraded"] else {})
