"""Falcon, as in https://falcon.readthedocs.io/en/stable/user/quickstart.html, behind gunicorn."""

import os

import falcon
import joblib
import pandas as pd


class Index:
    def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "Delivery times"


class Predict:
    def __init__(self, model):
        self.model = model

    def on_post(self, req, resp):
        data = req.media
        features = pd.DataFrame([data])[["distance_km", "items", "courier"]]
        resp.media = {"order_id": data["order_id"], "minutes": float(self.model.predict(features)[0])}


app = falcon.App()
app.add_route("/", Index())
app.add_route("/predict", Predict(joblib.load(os.environ["MODEL"])))
