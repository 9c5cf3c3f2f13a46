"""aiohttp, as in https://docs.aiohttp.org/en/stable/web_quickstart.html."""

import os
import sys

import joblib
import pandas as pd
from aiohttp import web

model = joblib.load(os.environ["MODEL"])
routes = web.RouteTableDef()


@routes.get("/")
async def hello(request):
    return web.Response(text="Delivery times")


@routes.post("/predict")
async def predict(request):
    data = await request.json()
    features = pd.DataFrame([data])[["distance_km", "items", "courier"]]
    return web.json_response({"order_id": data["order_id"], "minutes": model.predict(features)[0]})


app = web.Application()
app.add_routes(routes)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
