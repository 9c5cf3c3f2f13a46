"""The service: ``uvicorn service:app``. The variable MODEL names the folder of the model."""

import os
from typing import Literal

import pandas as pd
from fastapi import FastAPI
from pipeline import ARTICLES, SECTIONS, fetch, load_model, parse, rank
from pydantic import BaseModel, ConfigDict, Field

app, model = FastAPI(), load_model(os.environ["MODEL"])


class Reader(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    request_id: str
    section: Literal[*SECTIONS]
    history: list[Literal[*ARTICLES]] = Field(max_length=1_000)


class Row(BaseModel):
    article: str
    score: float


class Answer(BaseModel):
    request_id: str
    articles: list[Row]


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict")
def recommend(reader: Reader) -> Answer:
    frame = parse(pd.DataFrame([reader.model_dump()]))
    found = fetch(frame)
    rows = rank(found, model).to_dict(orient="records")
    return Answer(request_id=reader.request_id, articles=[Row(**row) for row in rows])
