"""FastAPI, as in https://fastapi.tiangolo.com/tutorial/body/ and /tutorial/response-model/."""

import os

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(os.environ["MODEL"])


class Order(BaseModel):
    order_id: str
    distance_km: float
    items: int
    courier: str


class Delivery(BaseModel):
    order_id: str
    minutes: float


@app.post("/predict")
def predict(order: Order) -> Delivery:
    features = pd.DataFrame([order.model_dump(exclude={"order_id"})])
    return Delivery(order_id=order.order_id, minutes=model.predict(features)[0])
