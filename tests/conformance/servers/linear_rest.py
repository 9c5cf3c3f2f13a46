"""A FastAPI service of the linear model: ``uvicorn linear_rest:app``."""

import os

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

app = FastAPI()
SLOPE = float(os.environ.get("SLOPE", "2"))


class Point(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    id: str
    a: float
    b: float


class Answer(BaseModel):
    id: str
    y: float


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/score")
def score(point: Point) -> Answer:
    return Answer(id=point.id, y=SLOPE * point.a + 3 * point.b - 1)


@app.post("/score/batch")
def batch(points: list[Point]) -> list[Answer]:
    return [score(point) for point in points]
