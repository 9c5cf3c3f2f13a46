"""Sanic, as in https://sanic.dev/en/guide/getting-started.html and /guide/basics/request.html."""

import os

import joblib
import pandas as pd
from sanic import Sanic, json, text

app = Sanic("delivery")
model = joblib.load(os.environ["MODEL"])


@app.get("/")
async def hello_world(request):
    return text("Delivery times")


@app.post("/predict")
async def predict(request):
    data = request.json
    features = pd.DataFrame([data])[["distance_km", "items", "courier"]]
    return json({"order_id": data["order_id"], "minutes": float(model.predict(features)[0])})
