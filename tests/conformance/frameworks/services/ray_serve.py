"""Ray Serve, as in https://docs.ray.io/en/latest/serve/getting_started.html."""

import os
import sys

import joblib
import pandas as pd
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1, ray_actor_options={"num_cpus": 0.2})
class Delivery:
    def __init__(self, path):
        self.model = joblib.load(path)

    async def __call__(self, request: Request) -> dict:
        data = await request.json()
        features = pd.DataFrame([data])[["distance_km", "items", "courier"]]
        return {"order_id": data["order_id"], "minutes": float(self.model.predict(features)[0])}


if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False, object_store_memory=2**27)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Delivery.bind(os.environ["MODEL"]), blocking=True)
