"""Starlette, as in https://www.starlette.io: routes and JSONResponse, behind uvicorn."""

import os

import joblib
import pandas as pd
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

model = joblib.load(os.environ["MODEL"])


async def homepage(request):
    return PlainTextResponse("Delivery times")


async def predict(request):
    data = await request.json()
    features = pd.DataFrame([data])[["distance_km", "items", "courier"]]
    return JSONResponse({"order_id": data["order_id"], "minutes": float(model.predict(features)[0])})


app = Starlette(routes=[Route("/", homepage), Route("/predict", predict, methods=["POST"])])
