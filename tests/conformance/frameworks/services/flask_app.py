"""Flask, as in https://flask.palletsprojects.com/quickstart/#apis-with-json, behind gunicorn."""

import os

import joblib
import pandas as pd
from flask import Flask, jsonify, request

app = Flask(__name__)
model = joblib.load(os.environ["MODEL"])


@app.get("/")
def index():
    return "Delivery times"


@app.post("/predict")
def predict():
    data = request.get_json()
    features = pd.DataFrame([{name: data[name] for name in ("distance_km", "items", "courier")}])
    return jsonify(minutes=float(model.predict(features)[0]))
