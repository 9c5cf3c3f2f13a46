"""LitServe, as in https://lightning.ai/docs/litserve/home/get-started."""

import os
import sys

import joblib
import litserve as ls
import pandas as pd


class Delivery(ls.LitAPI):
    def setup(self, device):
        self.model = joblib.load(os.environ["MODEL"])

    def decode_request(self, request):
        return pd.DataFrame([request["input"]], columns=["distance_km", "items", "courier"])

    def predict(self, x):
        return self.model.predict(x)

    def encode_response(self, output):
        return {"output": float(output[0])}


if __name__ == "__main__":
    server = ls.LitServer(Delivery(), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
