"""BentoML, as in https://docs.bentoml.com/en/latest/get-started/hello-world.html and the guide to input types."""

import os

import bentoml
import numpy as np
import pandas as pd


@bentoml.service
class Delivery:
    def __init__(self) -> None:
        import joblib

        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api
    def predict(self, orders: pd.DataFrame) -> np.ndarray:
        return self.model.predict(orders[["distance_km", "items", "courier"]])
