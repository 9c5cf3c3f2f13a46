"""The service: ``uvicorn service:app``. The variable MODEL names the folder of the model."""

import os
from typing import Literal

import pandas as pd
from fastapi import FastAPI
from pipeline import build_features, load_model, parse, predict, respond
from pydantic import BaseModel, ConfigDict, Field

app, model = FastAPI(), load_model(os.environ["MODEL"])


class Customer(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    customer_id: str
    plan: Literal["basic", "plus", "pro"]
    tenure_days: int = Field(ge=0, le=40_000)
    monthly_charge: float = Field(ge=0, le=10_000)
    usage_gb: float | None = Field(ge=0, le=1e6)
    support_calls: int = Field(ge=0, le=10_000)


class Answer(BaseModel):
    customer_id: str
    probability: float
    offer: bool


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict")
def score(customer: Customer) -> Answer:
    frame = respond(predict(build_features(parse(pd.DataFrame([customer.model_dump()]))), model))
    return Answer(**frame.to_dict(orient="records")[0])
