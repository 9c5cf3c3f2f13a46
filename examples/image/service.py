"""The service: ``uvicorn service:app``. The body of a request is the picture, as PNG."""

import os

import pandas as pd
from fastapi import FastAPI, HTTPException, Request
from PIL import UnidentifiedImageError
from pipeline import classify, load_model, read, respond

app, model = FastAPI(), load_model(os.environ["MODEL"])


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict")
async def predict(image_id: str, request: Request):
    try:
        pixels = read(pd.DataFrame({"image_id": [image_id], "png": [await request.body()]}))
    except (UnidentifiedImageError, OSError) as error:
        raise HTTPException(422, "The body is not a picture.") from error
    return respond(classify(pixels, model)).to_dict(orient="records")[0]
