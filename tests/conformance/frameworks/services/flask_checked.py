"""Flask with requests that pydantic checks: no allowance is needed."""

import os

import joblib
import pandas as pd
from flask import Flask, jsonify, request
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

app = Flask(__name__)
model = joblib.load(os.environ["MODEL"])


class Order(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    order_id: str
    distance_km: FiniteFloat
    items: int
    courier: str


@app.errorhandler(ValidationError)
def refuse(error):
    return jsonify(detail=error.errors(include_input=False, include_context=False)), 422


@app.get("/")
def index():
    return "Delivery times"


@app.post("/predict")
def predict():
    order = Order.model_validate_json(request.get_data())
    features = pd.DataFrame([order.model_dump(exclude={"order_id"})])
    return jsonify(order_id=order.order_id, minutes=float(model.predict(features)[0]))
