"""The service: ``uvicorn service:app``. Requests and answers stand in lists, as model servers have them."""

import os
from typing import Annotated, Literal

import pandas as pd
from fastapi import FastAPI
from pipeline import build_features, load_model, predict
from pydantic import BaseModel, ConfigDict, Field

app, model = FastAPI(), load_model(os.environ["MODEL"])
Size = Annotated[float, Field(ge=1, le=10_000)]


class Building(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    floor_m2: Size
    wall_m2: Size
    height_m: Size
    glass_m2: float = Field(ge=0, le=10_000)
    orientation: Literal["N", "E", "S", "W"]


class Buildings(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    instances: list[Building] = Field(min_length=1, max_length=1_000)


class Predictions(BaseModel):
    predictions: list[tuple[float, float]]  # heating and cooling


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict")
def estimate(buildings: Buildings) -> Predictions:
    frame = pd.DataFrame([building.model_dump() for building in buildings.instances])
    predicted = predict(build_features(frame.assign(building_id="")), model)
    return Predictions(predictions=predicted.tolist())
